// Blobs that are files in a directory, described by their paths: what a transport of a node on disk
// has to do with, without the node. Nothing is synced, nothing is found again. Thread-safe.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blob_store.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {

class StoredBlob final : public Blob {
 public:
  StoredBlob(std::string path, UniqueFd fd, absl::optional<uint64_t> size)
      : path_(std::move(path)),
        bytes_(FdDescriptor{std::make_shared<const UniqueFd>(std::move(fd)), 0, size.value_or(0)},
               /*writable=*/true, /*declared=*/size.has_value()) {}
  ~StoredBlob() override { unlink(path_.c_str()); }

  uint64_t size() const override { return bytes_.size(); }
  bool sealed() const override { return bytes_.sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return bytes_.Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return bytes_.Write(offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> size) override { return bytes_.Seal(size); }
  absl::StatusOr<Mapping> Map(MapAccess access) const override { return bytes_.Map(access); }
  BlobDescriptor Describe() const override { return PathDescriptor{path_, 0, size()}; }

 private:
  const std::string path_;
  FdBlob bytes_;
};

class PathBlobStore final : public BlobStore {
 public:
  explicit PathBlobStore(std::string directory) : directory_(std::move(directory)) {}

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    std::string path = absl::StrCat(directory_, "/blob-", ++made_);
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return ErrnoError(errno, "cannot create " + path);
    if (size && ftruncate(fd.get(), static_cast<off_t>(*size)) != 0) {
      return ErrnoError(errno, "cannot size " + path);
    }
    return std::make_unique<StoredBlob>(std::move(path), std::move(fd), size);
  }

 private:
  const std::string directory_;
  std::atomic<uint64_t> made_{0};
};

}  // namespace packice
