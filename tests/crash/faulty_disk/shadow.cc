#include "shadow.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace packice::faulty_disk {
namespace {

// A shadow that is wrong makes every test of it worthless.
void Check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "faulty disk: cannot %s: errno %d\n", what, errno);
  std::abort();
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, const char* what)
      : fd_(static_cast<int>(
            syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0600))) {
    Check(fd_ >= 0, what);
  }
  ~Descriptor() { syscall(SYS_close, fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

void CopyRange(int from, int to, off_t start, off_t end) {
  thread_local std::vector<char>& buffer = *new std::vector<char>(256 * 1024);
  while (start < end) {
    const size_t want = std::min(buffer.size(), static_cast<size_t>(end - start));
    const long n = syscall(SYS_pread64, from, buffer.data(), want, start);
    Check(n >= 0, "read a file");
    if (n == 0) return;
    Check(syscall(SYS_pwrite64, to, buffer.data(), n, start) == n, "write the shadow");
    start += n;
  }
}

// The same file, readable. Not through a second descriptor if that can be helped, because closing
// it gives up the process's locks on the file (fcntl(2)).
template <typename Use>
void WithReadable(int fd, Use use) {
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY) return use(fd);
  const Descriptor again("/proc/self/fd/" + std::to_string(fd), O_RDONLY, "open a file anew");
  use(again.get());
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// Whole, or not at all.
void Publish(const std::string& unfinished, const std::string& path) {
  Check(syscall(SYS_renameat2, AT_FDCWD, unfinished.c_str(), AT_FDCWD, path.c_str(), 0) == 0,
        "rename in the shadow");
}

}  // namespace

Shadow::Shadow(std::string root) : layout_{std::move(root)} {
  std::ifstream file(layout_.Baseline());
  Check(file.good(), "read the shadow's baseline");
  Listing* entries = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == 'D') {
      const ino_t inode = std::strtoull(line.c_str() + 2, nullptr, 10);
      baseline_.insert(inode);
      entries = &baseline_entries_[inode];
    } else {
      ParseEntry(line, *entries);
    }
  }
  for (const auto& [inode, listing] : baseline_entries_) {
    for (const auto& [name, entry] : listing) baseline_.insert(entry.inode);
  }
}

Shadow::File& Shadow::FileOf(ino_t inode) {
  const auto [found, is_new] = files_.try_emplace(inode);
  if (is_new && Exists(layout_.Lost(inode))) found->second.all = false;
  return found->second;
}

void Shadow::Keep(int fd, const OpenFile& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const ino_t inode = file.stat.st_ino;
  if (files_.count(inode) > 0) return;
  File& state = FileOf(inode);
  const std::string content = layout_.Content(inode);
  if (baseline_.count(inode) == 0 || Exists(content)) return;
  {
    const Descriptor copy(content + ".new", O_WRONLY | O_CREAT | O_TRUNC, "make a shadow");
    WithReadable(fd, [&](int from) { CopyRange(from, copy.get(), 0, file.stat.st_size); });
    Check(fchmod(copy.get(), file.stat.st_mode & 07777) == 0, "change a shadow's mode");
  }
  Publish(content + ".new", content);
  state.all = false;
}

void Shadow::Wrote(ino_t inode, off_t from, off_t to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  File& file = FileOf(inode);
  if (file.all) return;
  if (!file.ranges.empty() && file.ranges.back().second == from) {
    file.ranges.back().second = to;
  } else {
    file.ranges.emplace_back(from, to);
  }
}

void Shadow::Changed(ino_t inode) {
  const std::lock_guard<std::mutex> lock(mutex_);
  FileOf(inode).all = true;
}

void Shadow::Bury(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  struct stat stat;
  if (lstat(path.c_str(), &stat) != 0 || !S_ISREG(stat.st_mode)) return;
  const long linked =
      syscall(SYS_linkat, AT_FDCWD, path.c_str(), AT_FDCWD, layout_.Grave(stat.st_ino).c_str(), 0);
  Check(linked == 0 || errno == EEXIST || errno == ENOENT, "bury a file");
}

void Shadow::SyncFile(int fd, const OpenFile& file, bool with_mode) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const ino_t inode = file.stat.st_ino;
  // Nothing changed, and the baseline is the tree's.
  if (files_.count(inode) == 0 && baseline_.count(inode) > 0) return;
  File& state = FileOf(inode);
  // Anew, because another thread may have gone on.
  struct stat now;
  Check(fstat(fd, &now) == 0, "look at a file");
  const Descriptor copy(layout_.Content(inode), O_WRONLY | O_CREAT, "open a shadow");
  WithReadable(fd, [&](int from) {
    if (state.all) CopyRange(from, copy.get(), 0, now.st_size);
    for (const auto& [start, end] : state.ranges) CopyRange(from, copy.get(), start, end);
  });
  Check(ftruncate64(copy.get(), now.st_size) == 0, "cut a shadow");
  if (with_mode) Check(fchmod(copy.get(), now.st_mode & 07777) == 0, "change a shadow's mode");
  state.all = false;
  state.ranges.clear();
}

void Shadow::LoseFile(int fd, const OpenFile& file) {
  Keep(fd, file);
  const std::lock_guard<std::mutex> lock(mutex_);
  File& state = FileOf(file.stat.st_ino);
  state.all = false;
  state.ranges.clear();
  const Descriptor mark(layout_.Lost(file.stat.st_ino), O_WRONLY | O_CREAT, "mark a loss");
}

Listing Shadow::DurableEntries(ino_t directory) const {
  if (Exists(layout_.Entries(directory))) return ReadListing(layout_.Entries(directory));
  const auto found = baseline_entries_.find(directory);
  return found == baseline_entries_.end() ? Listing() : found->second;
}

void Shadow::LoseDirectory(int fd, const OpenFile& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Listing durable = DurableEntries(directory.stat.st_ino);
  Listing& lost = lost_entries_[directory.stat.st_ino];
  for (const auto& [name, entry] : ListDirectory(fd, ".")) {
    const auto before = durable.find(name);
    if (before == durable.end() || !(before->second == entry)) lost[name] = entry;
  }
}

void Shadow::SyncDirectory(int fd, const OpenFile& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const ino_t inode = directory.stat.st_ino;
  Listing now = ListDirectory(fd, ".");
  const Listing durable = DurableEntries(inode);
  for (const auto& [name, entry] : lost_entries_[inode]) {
    const auto found = now.find(name);
    if (found == now.end() || !(found->second == entry)) continue;
    now.erase(found);
    if (durable.count(name) > 0) now[name] = durable.at(name);
  }
  const std::string path = layout_.Entries(inode);
  {
    const Descriptor file(path + ".new", O_WRONLY | O_CREAT | O_TRUNC, "write a listing");
    const std::string text = TextOf(now);
    Check(
        syscall(SYS_write, file.get(), text.data(), text.size()) == static_cast<long>(text.size()),
        "write a listing");
  }
  Publish(path + ".new", path);
}

}  // namespace packice::faulty_disk
