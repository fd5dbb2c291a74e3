#include "power_loss.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "faulty_disk/listing.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using faulty_disk::Entry;
using faulty_disk::Listing;
using faulty_disk::ShadowLayout;

constexpr size_t kSector = 512;

ino_t InodeOf(const std::string& path) {
  struct stat stat = {};
  EXPECT_EQ(lstat(path.c_str(), &stat), 0) << path;
  return stat.st_ino;
}

mode_t ModeOf(const std::string& path) {
  struct stat stat = {};
  EXPECT_EQ(::stat(path.c_str(), &stat), 0) << path;
  return stat.st_mode & 07777;
}

std::string ReadFile(const std::string& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

struct Tree {
  std::map<ino_t, Listing> directories;
  std::map<ino_t, std::string> paths;  // of files, one each
};

void Scan(const std::string& path, Tree& tree) {
  Listing listing = faulty_disk::ListDirectory(AT_FDCWD, path);
  for (const auto& [name, entry] : listing) {
    const std::string below = absl::StrCat(path, "/", name);
    if (entry.directory) {
      Scan(below, tree);
    } else {
      tree.paths[entry.inode] = below;
    }
  }
  tree.directories[InodeOf(path)] = std::move(listing);
}

class Loss {
 public:
  Loss(const std::string& tree, const ShadowLayout& layout, Random* survivors)
      : root_(tree), layout_(layout), survivors_(survivors) {
    Scan(tree, now_);
    for (const auto& [name, entry] : faulty_disk::ListDirectory(AT_FDCWD, layout.Graves())) {
      if (!entry.directory)
        now_.paths.emplace(entry.inode, absl::StrCat(layout.Graves(), "/", name));
    }
    ReadBaseline();
  }

  void Run() {
    const std::string restored = root_ + ".restored";
    fs::create_directory(restored);
    fs::permissions(restored, static_cast<fs::perms>(ModeOf(root_)));
    RestoreDirectory(InodeOf(root_), restored);
    fs::remove_all(root_);
    fs::rename(restored, root_);
  }

 private:
  bool Coin() { return survivors_ != nullptr && (*survivors_)() % 2 == 0; }
  size_t Below(size_t limit) { return (*survivors_)() % limit; }

  void ReadBaseline() {
    std::ifstream file(layout_.Baseline());
    ASSERT_TRUE(file) << "no shadow was begun";
    Listing* listing = nullptr;
    for (std::string line; std::getline(file, line);) {
      if (line[0] == 'D') {
        listing = &baseline_[std::strtoull(line.c_str() + 2, nullptr, 10)];
      } else {
        faulty_disk::ParseEntry(line, *listing);
      }
    }
    for (const auto& [inode, entries] : baseline_) {
      for (const auto& [name, entry] : entries) baseline_files_.insert(entry.inode);
    }
  }

  Listing DurableEntries(ino_t inode) const {
    const std::string synced = layout_.Entries(inode);
    if (fs::exists(synced)) return faulty_disk::ReadListing(synced);
    const auto found = baseline_.find(inode);
    return found == baseline_.end() ? Listing() : found->second;
  }

  Listing SurvivingEntries(ino_t inode) {
    Listing entries = DurableEntries(inode);
    if (!Coin()) return entries;
    const Listing& now = now_.directories[inode];
    Listing either = entries;
    either.insert(now.begin(), now.end());
    const bool all = Coin();
    for (const auto& [name, ignored] : either) {
      if (!all && Coin()) continue;
      const auto found = now.find(name);
      entries.erase(name);
      if (found != now.end()) entries.insert(*found);
    }
    return entries;
  }

  void RestoreDirectory(ino_t inode, const std::string& path) {
    for (const auto& [name, entry] : SurvivingEntries(inode)) {
      const std::string below = absl::StrCat(path, "/", name);
      const auto [earlier, is_new] = restored_.try_emplace(entry.inode, below);
      if (!entry.directory) {
        // Of a rename between directories both names may be there.
        is_new ? RestoreFile(entry.inode, below) : fs::create_hard_link(earlier->second, below);
      } else if (is_new) {
        fs::create_directory(below);
        RestoreDirectory(entry.inode, below);
      }
    }
  }

  void RestoreFile(ino_t inode, const std::string& path) {
    const std::string content = layout_.Content(inode);
    const bool changed = fs::exists(content);
    const auto found = now_.paths.find(inode);
    const bool present = found != now_.paths.end();
    if (!changed && baseline_files_.count(inode) > 0) {
      ASSERT_TRUE(present) << "a name went away unseen: " << path;
      fs::create_hard_link(found->second, path);
      return;
    }
    const std::string durable = changed ? ReadFile(content) : "";
    const bool mix = present && Coin();
    std::ofstream(path, std::ios::binary)
        << (mix ? Mix(durable, ReadFile(found->second)) : durable);
    mode_t mode = changed ? ModeOf(content) : 0600;
    if (present && Coin()) mode = ModeOf(found->second);
    fs::permissions(path, static_cast<fs::perms>(mode));
  }

  // Some of the sectors of `now` over `durable`: all of them, the first ones, or any.
  std::string Mix(const std::string& durable, const std::string& now) {
    const size_t longest = std::max(durable.size(), now.size());
    const size_t sectors = (longest + kSector - 1) / kSector;
    const size_t kind = Below(3);
    const size_t first = sectors == 0 ? 0 : Below(sectors + 1);
    std::string mixed = durable;
    mixed.resize(longest, '\0');
    for (size_t i = 0; i < sectors; ++i) {
      if ((kind == 1 && i >= first) || (kind == 2 && Coin())) continue;
      const size_t from = i * kSector;
      const size_t until = std::min(from + kSector, longest);
      for (size_t at = from; at < until; ++at) mixed[at] = at < now.size() ? now[at] : '\0';
    }
    if (kind == 0) {
      mixed.resize(now.size());
    } else if (Coin()) {
      mixed.resize(Coin() ? durable.size() : now.size());
    } else {
      const size_t shortest = std::min(durable.size(), now.size());
      mixed.resize(shortest + (longest == shortest ? 0 : Below(longest - shortest)));
    }
    return mixed;
  }

  const std::string root_;
  const ShadowLayout& layout_;
  Random* const survivors_;
  Tree now_;
  std::map<ino_t, Listing> baseline_;
  std::set<ino_t> baseline_files_;
  std::map<ino_t, std::string> restored_;
};

}  // namespace

void BeginShadow(const std::string& tree, const ShadowLayout& layout) {
  fs::remove_all(layout.root);
  for (const char* const directory : {"", "/content", "/lost", "/entries", "/graves"}) {
    fs::create_directory(layout.root + directory);
  }
  Tree now;
  Scan(tree, now);
  std::ofstream file(layout.Baseline());
  for (const auto& [inode, listing] : now.directories) {
    file << "D " << inode << '\n' << faulty_disk::TextOf(listing);
  }
  ASSERT_TRUE(file.flush()) << layout.Baseline();
}

void LosePower(const std::string& tree, const ShadowLayout& layout, Random* survivors) {
  Loss(tree, layout, survivors).Run();
  BeginShadow(tree, layout);
}

}  // namespace packice
