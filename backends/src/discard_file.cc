#include "discard_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "file_size.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr absl::string_view kMagic = "packice discards ";
constexpr int kVersion = 1;
constexpr uint64_t kSmall = 64 << 10;  // bytes; not worth writing anew

std::string Escaped(absl::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool plain = c > ' ' && c <= '~' && c != '%';
    absl::StrAppend(&out, plain ? "" : "%",
                    plain ? std::string(1, c) : absl::BytesToHexString({&c, 1}));
  }
  return out;
}

absl::optional<ObjectId> Unescaped(absl::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.front() != '%') {
      bytes.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    uint32_t code = 0;
    if (text.size() < 3 || !absl::SimpleHexAtoi(text.substr(1, 2), &code)) return absl::nullopt;
    bytes.push_back(static_cast<char>(code));
    text.remove_prefix(3);
  }
  absl::StatusOr<ObjectId> id = ObjectId::Parse(bytes);
  if (!id.ok()) return absl::nullopt;
  return *std::move(id);
}

std::string SumOf(absl::string_view text) {
  const Digest digest = HashPiece(text);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// "+a -b <sum>\n": changes that were synced together, and their checksum.
std::string LineOf(absl::Span<const DiscardChange> changes) {
  std::string line;
  for (const DiscardChange& change : changes) {
    absl::StrAppend(&line, line.empty() ? "" : " ", change.add ? "+" : "-",
                    Escaped(change.id.bytes()));
  }
  return absl::StrCat(line, " ", SumOf(line), "\n");
}

// Nothing: it is damaged, or not whole.
absl::optional<std::vector<DiscardChange>> ParseLine(absl::string_view line) {
  const size_t space = line.rfind(' ');
  if (space == absl::string_view::npos || line.substr(space + 1) != SumOf(line.substr(0, space))) {
    return absl::nullopt;
  }
  std::vector<DiscardChange> changes;
  for (const absl::string_view word : absl::StrSplit(line.substr(0, space), ' ')) {
    if (word.empty() || (word.front() != '+' && word.front() != '-')) return absl::nullopt;
    absl::optional<ObjectId> id = Unescaped(word.substr(1));
    if (!id.has_value()) return absl::nullopt;
    changes.push_back({word.front() == '+', *std::move(id)});
  }
  return changes;
}

std::string TextOf(const DiscardFile::Ids& ids) {
  std::string text = absl::StrCat(kMagic, kVersion, "\n");
  for (const ObjectId& id : ids) text += LineOf({DiscardChange{true, id}});
  return text;
}

absl::Status CheckVersion(absl::string_view line, const std::string& path) {
  int version = 0;
  if (!absl::ConsumePrefix(&line, kMagic) || !absl::SimpleAtoi(line, &version)) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat(path,
                                  " does not begin as a log of discards does; move it away "
                                  "if it is something else. Without a log, what was "
                                  "discarded while the cold tier was out of reach may come "
                                  "back"));
  }
  if (version == kVersion) return absl::OkStatus();
  return MakeError(ErrorKind::kUnsupported,
                   absl::StrCat(path, " has version ", version,
                                " of its format, and this program "
                                "knows ",
                                kVersion,
                                ": use the program that wrote it until the "
                                "cold tier has been told of all discards, then remove the file"));
}

absl::Status Sync(int fd, const std::string& path) {
  while (fdatasync(fd) != 0) {
    if (errno != EINTR) return ErrnoError(errno, absl::StrCat("cannot sync ", path));
  }
  return absl::OkStatus();
}

absl::Status Lock(int fd, const std::string& path) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return ErrnoError(errno, absl::StrCat("cannot lock ", path));
    return MakeError(ErrorKind::kBusy,
                     absl::StrCat(path,
                                  " is in use by another node; stop it, or name another "
                                  "file"));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags) {
  UniqueFd fd(
      open(path.c_str(), flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  const int error = errno;
  struct stat info;
  if (fd ? fstat(fd.get(), &info) == 0 && !S_ISREG(info.st_mode)
         : error == ELOOP || error == EISDIR || error == ENXIO) {
    return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(path, " is no regular file"));
  }
  if (fd) return fd;
  if (error == ENOENT) {
    return MakeError(ErrorKind::kNotFound,
                     absl::StrCat("there is no directory for ", path, "; make it"));
  }
  return ErrnoError(error, absl::StrCat("cannot open ", path));
}

bool IsNamed(int fd, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(fd, &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiscardFile>> DiscardFile::Open(const std::string& path, Ids& ids) {
  UniqueFd fd;
  do {  // again when its holder has just put another file in its place, and gone
    absl::StatusOr<UniqueFd> opened = OpenFile(path, O_RDWR);
    if (!opened.ok()) return opened.status();
    fd = *std::move(opened);
    if (absl::Status status = Lock(fd.get(), path); !status.ok()) return status;
  } while (!IsNamed(fd.get(), path));
  std::unique_ptr<DiscardFile> file(new DiscardFile(path, std::move(fd)));
  absl::StatusOr<bool> brief = file->Read(ids);
  if (!brief.ok()) return brief.status();
  if (!*brief) {
    if (absl::Status status = file->Rewrite(ids); !status.ok()) return status;
  }
  return file;
}

absl::StatusOr<bool> DiscardFile::Read(Ids& ids) {
  absl::StatusOr<uint64_t> size = FileSize(fd_.get());
  if (!size.ok()) return size.status();
  if (*size == 0) return false;  // just made
  std::string text(static_cast<size_t>(*size), '\0');
  absl::StatusOr<size_t> n = ReadAt(fd_.get(), 0, absl::MakeSpan(&text[0], text.size()));
  if (!n.ok()) return n.status();
  text.resize(*n);

  absl::string_view rest = text;
  bool first = true;
  absl::optional<size_t> damaged;  // where
  while (!rest.empty()) {
    const size_t at = text.size() - rest.size();
    const size_t end = rest.find('\n');
    const bool whole = end != absl::string_view::npos;
    const absl::string_view line = rest.substr(0, end);
    rest.remove_prefix(whole ? end + 1 : rest.size());
    if (first) {
      if (absl::Status status = CheckVersion(line, path_); !status.ok()) return status;
      first = false;
      continue;
    }
    const auto changes = whole ? ParseLine(line) : absl::nullopt;
    if (!changes.has_value()) {
      if (!damaged.has_value()) damaged = at;
      continue;
    }
    if (damaged.has_value()) {
      return MakeError(
          ErrorKind::kCorrupt,
          absl::StrCat(path_, " is damaged at byte ", *damaged,
                       ", before its end. Restore it, or "
                       "move it away: what was discarded while the cold tier was out of reach may "
                       "then come back; the ids that the file still names can be discarded again"));
    }
    for (const DiscardChange& change : *changes) {
      if (change.add) {
        ids.insert(change.id);
      } else {
        ids.erase(change.id);
      }
    }
  }
  end_ = text.size();
  limit_ = std::max(kSmall, 4 * end_);
  return text == TextOf(ids);
}

absl::Status DiscardFile::Append(absl::Span<const DiscardChange> changes) {
  const std::string line = LineOf(changes);
  if (absl::Status status = WriteAt(fd_.get(), end_, line); !status.ok()) return status;
  if (absl::Status status = Sync(fd_.get(), path_); !status.ok()) return status;
  end_ += line.size();
  return absl::OkStatus();
}

absl::Status DiscardFile::Rewrite(const Ids& ids) {
  const std::string fresh = absl::StrCat(path_, ".new");
  const std::string text = TextOf(ids);
  absl::StatusOr<UniqueFd> fd = OpenFile(fresh, O_RDWR | O_TRUNC);
  if (!fd.ok()) return fd.status();
  // Before it has the name, so that nobody else finds it there unlocked.
  if (absl::Status status = Lock(fd->get(), fresh); !status.ok()) return status;
  if (absl::Status status = WriteAt(fd->get(), 0, text); !status.ok()) return status;
  if (absl::Status status = Sync(fd->get(), fresh); !status.ok()) return status;
  if (rename(fresh.c_str(), path_.c_str()) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot rename ", fresh, " to ", path_));
  }
  fd_ = *std::move(fd);
  end_ = text.size();
  limit_ = std::max(kSmall, 4 * end_);
  return SyncDirectory();
}

absl::Status DiscardFile::SyncDirectory() const {
  const size_t slash = path_.find_last_of('/');
  const std::string directory =
      slash == std::string::npos ? "." : path_.substr(0, std::max<size_t>(slash, 1));
  const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot open the directory ", directory));
  while (fsync(fd.get()) != 0) {
    if (errno != EINTR) return ErrnoError(errno, absl::StrCat("cannot sync ", directory));
  }
  return absl::OkStatus();
}

}  // namespace packice
