// A medium of plain files whose blobs name their paths, as a durable node's do: what the clients of
// path handles are tried against without a disk's rules.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blob_store.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"
#include "packice/core/unique_fd.h"

namespace packice {

// While it is written its name ends in ".new"; Seal takes the ending off and makes it read-only.
class PathStoreBlob final : public Blob {
 public:
  PathStoreBlob(std::string path, UniqueFd fd, absl::optional<uint64_t> declared)
      : path_(std::move(path)), fd_(std::move(fd)), declared_(declared) {}
  ~PathStoreBlob() override { unlink(Path().c_str()); }

  uint64_t size() const override {
    struct stat info = {};
    return fstat(fd_.get(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
  }
  bool sealed() const override { return sealed_.load(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return ReadAt(fd_.get(), offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
    if (declared_ && offset + bytes.size() > *declared_) {
      return MakeError(ErrorKind::kInvalidArgument, "beyond the declared size");
    }
    const UniqueFd fd(open(Path().c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return ErrnoError(errno, "cannot open a file");
    return WriteAt(fd.get(), offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> wanted) override {
    if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
    // Granted only while nobody has the file open to write it (fcntl(2)).
    if (fcntl(fd_.get(), F_SETLEASE, F_RDLCK) != 0) {
      return MakeError(ErrorKind::kBusy, "somebody may still write the file");
    }
    fcntl(fd_.get(), F_SETLEASE, F_UNLCK);
    if (declared_ && wanted && *wanted != *declared_) {
      return MakeError(ErrorKind::kInvalidArgument, "another size was declared");
    }
    const uint64_t final_size = wanted.value_or(size());
    if (truncate(Path().c_str(), static_cast<off_t>(final_size)) != 0 ||
        fchmod(fd_.get(), 0400) != 0 || rename(Path().c_str(), path_.c_str()) != 0) {
      return ErrnoError(errno, "cannot seal a file");
    }
    sealed_ = true;
    return absl::OkStatus();
  }
  absl::StatusOr<Mapping> Map(MapAccess) const override {
    return MakeError(ErrorKind::kUnsupported, "not needed");
  }
  BlobDescriptor Describe() const override {
    return PathDescriptor{Path(), 0, declared_ ? *declared_ : size()};
  }

 private:
  std::string Path() const { return sealed() ? path_ : path_ + ".new"; }

  const std::string path_;
  const UniqueFd fd_;
  const absl::optional<uint64_t> declared_;
  std::atomic<bool> sealed_{false};
};

class PathStore final : public BlobStore {
 public:
  // The directory outlives the store.
  explicit PathStore(std::string directory) : directory_(std::move(directory)) {}

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    std::string path = absl::StrCat(directory_, "/", ++last_);
    const std::string name = path + ".new";
    UniqueFd maker(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!maker) return ErrnoError(errno, "cannot make a file");
    if (ftruncate(maker.get(), static_cast<off_t>(size.value_or(0))) != 0) {
      unlink(name.c_str());
      return MakeError(ErrorKind::kCapacity, "no file can be that long");
    }
    UniqueFd fd(open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return ErrnoError(errno, "cannot open a file");
    return std::make_unique<PathStoreBlob>(std::move(path), std::move(fd), size);
  }

 private:
  const std::string directory_;
  std::atomic<uint64_t> last_{0};
};

}  // namespace packice
