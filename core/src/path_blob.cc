#include "packice/core/path_blob.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

// O_NONBLOCK: a fifo in the file's place must not make this process wait for its other end.
constexpr int kFlags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

absl::Status NoRegularFile(const std::string& path) {
  return MakeError(ErrorKind::kPermissionDenied,
                   absl::StrCat(path, " is no regular file, as a node's would be"));
}

// After Seal a node takes away the file's writable mode and may give it another name.
absl::Status IsSealed(const std::string& path) {
  return MakeError(ErrorKind::kPermissionDenied,
                   absl::StrCat("the node has sealed ", path, "; it is not written any more"));
}

absl::Status CannotStat(const std::string& path) {
  return ErrnoError(errno, absl::StrCat("cannot stat ", path));
}

uint64_t SizeOf(const struct stat& info) { return static_cast<uint64_t>(info.st_size); }

}  // namespace

absl::StatusOr<UniqueFd> OpenRegularFile(const std::string& path) {
  if (path.empty() || path.front() != '/') {
    return MakeError(ErrorKind::kUnavailable,
                     absl::StrCat("the node names a file by a path that is not absolute: ", path));
  }
  UniqueFd file(open(path.c_str(), O_RDONLY | kFlags));
  if (!file) {
    const int error = errno;
    if (error == ELOOP) return NoRegularFile(path);
    if (error == ENOENT || error == ENOTDIR) {
      return MakeError(ErrorKind::kUnavailable,
                       absl::StrCat("the node's file ", path, " cannot be reached from here: ",
                                    std::strerror(error), "; mount the node's directory"));
    }
    return ErrnoError(error, absl::StrCat("cannot open the node's file ", path));
  }
  struct stat info;
  if (fstat(file.get(), &info) != 0) return CannotStat(path);
  if (!S_ISREG(info.st_mode)) return NoRegularFile(path);
  return file;
}

absl::Status CheckFileSize(int fd, const PathDescriptor& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return CannotStat(path.path);
  const uint64_t size = SizeOf(info);
  if (size >= path.offset && size - path.offset == path.size) return absl::OkStatus();
  return MakeError(
      ErrorKind::kCorrupt,
      absl::StrCat(path.path, " has ", size, " bytes; the node says ", path.offset + path.size));
}

absl::StatusOr<std::unique_ptr<PathBlob>> PathBlob::OpenSealed(PathDescriptor path) {
  absl::StatusOr<UniqueFd> file = OpenRegularFile(path.path);
  if (!file.ok()) return file.status();
  return Sealed(std::move(path), *std::move(file));
}

absl::StatusOr<std::unique_ptr<PathBlob>> PathBlob::Sealed(PathDescriptor path, UniqueFd file) {
  if (absl::Status status = CheckFileSize(file.get(), path); !status.ok()) return status;
  return std::unique_ptr<PathBlob>(
      new PathBlob(std::move(path), std::move(file), /*writable=*/false, /*declared=*/true));
}

absl::StatusOr<std::unique_ptr<PathBlob>> PathBlob::OpenWritable(PathDescriptor path,
                                                                 bool declared) {
  absl::StatusOr<UniqueFd> file = OpenRegularFile(path.path);
  if (!file.ok()) return file.status();
  return Writable(std::move(path), *std::move(file), declared);
}

std::unique_ptr<PathBlob> PathBlob::Writable(PathDescriptor path, UniqueFd file, bool declared) {
  return std::unique_ptr<PathBlob>(
      new PathBlob(std::move(path), std::move(file), /*writable=*/true, declared));
}

uint64_t PathBlob::size() const {
  if (declared_ || sealed()) return path_.size;
  struct stat info;
  if (fstat(file_.get(), &info) != 0) return 0;
  return SizeOf(info) - std::min(SizeOf(info), path_.offset);
}

absl::StatusOr<size_t> PathBlob::Read(uint64_t offset, absl::Span<char> out) const {
  const uint64_t end = size();
  if (offset >= end) return size_t{0};
  out = out.subspan(0, static_cast<size_t>(std::min<uint64_t>(out.size(), end - offset)));
  return ReadAt(file_.get(), path_.offset + offset, out);
}

absl::StatusOr<UniqueFd> PathBlob::Reopen(int flags) const {
  UniqueFd file(open(path_.path.c_str(), flags | kFlags));
  const int error = errno;
  struct stat mine;
  if (fstat(file_.get(), &mine) != 0) return CannotStat(path_.path);
  if (!file) {
    if (error == ELOOP) return NoRegularFile(path_.path);
    if (error == ENOENT && mine.st_nlink == 0) {
      return MakeError(ErrorKind::kLeaseExpired,
                       absl::StrCat("the node has removed ", path_.path, ": the lease is over"));
    }
    if (error == ENOENT) return IsSealed(path_.path);
    return ErrnoError(error, absl::StrCat("cannot open ", path_.path, " to write it"));
  }
  struct stat found;
  if (fstat(file.get(), &found) != 0) return CannotStat(path_.path);
  if (mine.st_dev != found.st_dev || mine.st_ino != found.st_ino) {
    return MakeError(ErrorKind::kPermissionDenied,
                     absl::StrCat(path_.path, " is another file than the node named"));
  }
  // Root may open it all the same.
  constexpr mode_t kAnyWrite = S_IWUSR | S_IWGRP | S_IWOTH;
  if ((found.st_mode & kAnyWrite) == 0) return IsSealed(path_.path);
  return file;
}

absl::Status PathBlob::Write(uint64_t offset, absl::string_view bytes) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  if (declared_ && (offset > path_.size || bytes.size() > path_.size - offset)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a write of ", bytes.size(), " bytes at ", offset,
                                  " passes the declared size of ", path_.size));
  }
  if (bytes.empty()) return absl::OkStatus();
  absl::StatusOr<UniqueFd> file = Reopen(O_WRONLY);
  if (!file.ok()) return file.status();
  return WriteAt(file->get(), path_.offset + offset, bytes);
}

absl::Status PathBlob::Seal(absl::optional<uint64_t> final_size) {
  if (!declared_) path_.size = final_size.value_or(size());
  sealed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<Mapping> PathBlob::Map(MapAccess access) const {
  const uint64_t length = size();
  if (access == MapAccess::kReadOnly) {
    return Mapping::Map(file_.get(), path_.offset, length, access);
  }
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  absl::StatusOr<UniqueFd> file = Reopen(O_RDWR);
  if (!file.ok()) return file.status();
  struct stat info;
  if (fstat(file->get(), &info) != 0) return CannotStat(path_.path);
  // Memory behind the end of a file kills whoever touches it.
  if (SizeOf(info) < path_.offset || SizeOf(info) - path_.offset < length) {
    return MakeError(ErrorKind::kCorrupt, absl::StrCat(path_.path, " is shorter than declared"));
  }
  return Mapping::Map(file->get(), path_.offset, length, access);
}

BlobDescriptor PathBlob::Describe() const {
  PathDescriptor described = path_;
  described.size = size();
  return described;
}

}  // namespace packice
