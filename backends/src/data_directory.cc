#include "packice/backends/data_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "directory_listing.h"
#include "packice/backends/blob_name.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr char kFormat[] = "packice.format";
constexpr char kNewFormat[] = "packice.format.new";
constexpr char kLock[] = "lock";
constexpr absl::string_view kMagic = "packice ";
constexpr std::array<const char*, 3> kParts = {"attachments", "objects", "quarantine"};

absl::Status Sync(int fd, absl::string_view what) {
  int result;
  do {
    result = fsync(fd);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  return ErrnoError(errno, absl::StrCat("cannot sync ", what));
}

absl::StatusOr<UniqueFd> OpenDirectoryAt(int at, const std::string& path) {
  UniqueFd fd(openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) return fd;
  if (errno == ENOTDIR) {
    return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(path, " is no directory"));
  }
  if (errno == ENOENT) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("there is no directory ", path));
  }
  return ErrnoError(errno, absl::StrCat("cannot open the directory ", path));
}

// Makes `path` and the directories above that are missing.
absl::Status MakeDirectories(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  const size_t slash = path.find_last_of('/');
  if (errno == ENOENT && slash != std::string::npos && slash != 0) {
    if (absl::Status status = MakeDirectories(path.substr(0, slash)); !status.ok()) return status;
    if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  }
  return ErrnoError(errno, absl::StrCat("cannot make the directory ", path));
}

// Brings the names of a directory, and of those above it, to disk: all that MakeDirectories may
// have made, now or in a process that was killed before it came here.
absl::Status SyncAbove(const UniqueFd& directory, const std::string& path) {
  struct stat here;
  if (fstat(directory.get(), &here) != 0) return ErrnoError(errno, "cannot look at " + path);
  std::string above = path;
  while (true) {
    absl::StrAppend(&above, "/..");
    const UniqueFd fd(open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd && errno == EACCES) return absl::OkStatus();  // not made by this user
    struct stat up;
    if (!fd || fstat(fd.get(), &up) != 0) return ErrnoError(errno, "cannot open " + above);
    // One call makes directories of one file system only.
    if (up.st_dev != here.st_dev || up.st_ino == here.st_ino) return absl::OkStatus();
    if (absl::Status status = Sync(fd.get(), above); !status.ok()) return status;
    here = up;
  }
}

// The whole of a small file; nothing where there is none.
absl::StatusOr<absl::optional<std::string>> ReadSmallFile(int at, const char* name) {
  const UniqueFd fd(openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return absl::optional<std::string>();
    if (errno == ELOOP) {
      return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(name, " is a symbolic link"));
    }
    return ErrnoError(errno, absl::StrCat("cannot open ", name));
  }
  std::string bytes(4096, '\0');
  absl::StatusOr<size_t> n = ReadAt(fd.get(), 0, absl::MakeSpan(&bytes[0], bytes.size()));
  if (!n.ok()) return n.status();
  bytes.resize(*n);
  return absl::optional<std::string>(std::move(bytes));
}

absl::Status CheckFormat(absl::string_view text, const std::string& path) {
  const absl::string_view line = text.substr(0, text.find('\n'));
  absl::string_view version = line;
  int number = 0;
  if (!absl::ConsumePrefix(&version, kMagic) || !absl::SimpleAtoi(version, &number)) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat(path, "/", kFormat,
                                  " does not begin with a version; restore it "
                                  "from a backup, or write \"packice ",
                                  DataDirectory::kVersion,
                                  "\" there if you know that the directory has that version"));
  }
  if (number != DataDirectory::kVersion) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat(path, " has version ", number,
                                  " of the format, and this program "
                                  "knows ",
                                  DataDirectory::kVersion,
                                  ": use the program that wrote it, or another directory"));
  }
  return absl::OkStatus();
}

// An empty directory, or one whose making was cut off before its format file was there.
absl::Status CheckEmpty(int fd, const std::string& path) {
  return ListDirectory(fd, "", [&](const DirectoryEntry& entry) {
    if (entry.name == kLock || entry.name == kNewFormat) return absl::OkStatus();
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat(path, " is no data directory of Packice and is not empty: it has ", entry.name,
                     "; name a new or an empty directory"));
  });
}

absl::Status WriteFormat(int directory) {
  const std::string text =
      absl::StrCat(kMagic, DataDirectory::kVersion,
                   "\nA data directory of Packice; its docs/formats.md says what is in it. While a "
                   "node runs, only read here.\n");
  const UniqueFd fd(
      openat(directory, kNewFormat, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot make ", kNewFormat));
  if (absl::Status status = WriteAt(fd.get(), 0, text); !status.ok()) return status;
  if (absl::Status status = Sync(fd.get(), kNewFormat); !status.ok()) return status;
  if (renameat(directory, kNewFormat, directory, kFormat) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot make ", kFormat));
  }
  return Sync(directory, "the data directory");
}

// `busy` while another process has it.
absl::StatusOr<UniqueFd> TakeLock(int directory, const std::string& path, bool create) {
  const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  UniqueFd fd(openat(directory, kLock, O_RDWR | O_CREAT | flags, 0600));
  if (!fd && errno == EROFS && !create) fd = UniqueFd(openat(directory, kLock, O_RDONLY | flags));
  if (!fd) {
    if (errno == ELOOP || errno == EISDIR) {
      return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(path, "/", kLock, " is no file"));
    }
    return ErrnoError(errno, absl::StrCat("cannot open ", path, "/", kLock));
  }
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return ErrnoError(errno, absl::StrCat("cannot lock ", path));
    char holder[32];
    absl::StatusOr<size_t> n = ReadAt(fd.get(), 0, absl::MakeSpan(holder));
    absl::string_view pid(holder, n.ok() ? *n : 0);
    pid = absl::StripSuffix(pid, "\n");
    return MakeError(ErrorKind::kBusy,
                     absl::StrCat(path, " is in use by process ", pid.empty() ? "(unknown)" : pid,
                                  "; stop it, or name another directory"));
  }
  // For people, and for the message above; nothing depends on it.
  if (ftruncate(fd.get(), 0) == 0) {
    WriteAt(fd.get(), 0, absl::StrCat(getpid(), "\n")).IgnoreError();
  }
  return fd;
}

// `invalid_argument` when something else is there.
absl::Status MakePart(int directory, const std::string& relative, bool create) {
  if (create) {
    if (mkdirat(directory, relative.c_str(), 0700) == 0) return absl::OkStatus();
    if (errno != EEXIST) return ErrnoError(errno, absl::StrCat("cannot make ", relative));
  }
  struct stat info;
  if (fstatat(directory, relative.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoError(errno, absl::StrCat("cannot look at ", relative));
  }
  if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat(relative, " in the data directory is ",
                                S_ISLNK(info.st_mode) ? "a symbolic link" : "no directory",
                                "; put the directory back"));
}

absl::Status MakeParts(const DataDirectory& directory, bool create) {
  for (const char* part : kParts) {
    absl::Status status = MakePart(directory.fd(), part, create);
    if (!status.ok()) return status;
  }
  for (int shard = 0; shard < DataDirectory::kShards; ++shard) {
    absl::Status status =
        MakePart(directory.fd(), BlobName::ShardDirectory(static_cast<uint8_t>(shard)), create);
    if (!status.ok()) return status;
  }
  if (!create) return absl::OkStatus();
  // Even if they were there: whoever made them may have been killed before they were on disk.
  if (absl::Status status = directory.SyncDirectory("objects"); !status.ok()) return status;
  return directory.SyncDirectory("");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(absl::string_view path) {
  return Open(path, /*create=*/true);
}

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::OpenExisting(absl::string_view path) {
  return Open(path, /*create=*/false);
}

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(absl::string_view given,
                                                                   bool create) {
  std::string path(given);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty() || path.find('\0') != std::string::npos) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "the path of a data directory is empty or has a "
                     "zero byte");
  }
  if (create) {
    if (absl::Status status = MakeDirectories(path); !status.ok()) return status;
  }
  absl::StatusOr<UniqueFd> fd = OpenDirectoryAt(AT_FDCWD, path);
  if (!fd.ok()) return fd.status();
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) return ErrnoError(errno, absl::StrCat("cannot resolve ", path));
  path = real.get();

  // Before the lock, so that nothing is made in a directory that is not ours.
  absl::StatusOr<absl::optional<std::string>> format = ReadSmallFile(fd->get(), kFormat);
  if (!format.ok()) return format.status();
  if (format->has_value()) {
    if (absl::Status status = CheckFormat(**format, path); !status.ok()) return status;
  } else if (!create) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat(path,
                                                        " is no data directory of Packice: "
                                                        "it has no ",
                                                        kFormat));
  } else if (absl::Status status = CheckEmpty(fd->get(), path); !status.ok()) {
    return status;
  }
  absl::StatusOr<UniqueFd> lock = TakeLock(fd->get(), path, create);
  if (!lock.ok()) return lock.status();
  if (!format->has_value()) {
    if (absl::Status status = SyncAbove(*fd, path); !status.ok()) return status;
    if (absl::Status status = WriteFormat(fd->get()); !status.ok()) return status;
  }
  std::unique_ptr<DataDirectory> directory(
      new DataDirectory(std::move(path), *std::move(fd), *std::move(lock)));
  if (absl::Status status = MakeParts(*directory, create); !status.ok()) return status;
  return directory;
}

std::string DataDirectory::PathOf(absl::string_view relative) const {
  return absl::StrCat(path_, "/", relative);
}

absl::Status DataDirectory::SyncDirectory(const std::string& relative) const {
  absl::StatusOr<UniqueFd> fd = OpenDirectoryAt(this->fd(), relative.empty() ? "." : relative);
  if (!fd.ok()) return MakeError(ErrorKind::kIo, fd.status().message());
  return Sync(fd->get(), PathOf(relative));
}

absl::Status DataDirectory::SyncShard(uint8_t shard) const {
  return SyncDirectory(BlobName::ShardDirectory(shard));
}

}  // namespace packice
