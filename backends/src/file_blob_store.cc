#include "packice/backends/file_blob_store.h"

#include <sys/statvfs.h>

#include <utility>

namespace packice {
namespace {

uint64_t BlockBytes(const DataDirectory& directory) {
  struct statvfs fs;
  if (fstatvfs(directory.fd(), &fs) != 0 || fs.f_frsize == 0) return 4096;
  return fs.f_frsize;
}

}  // namespace

FileBlobStore::FileBlobStore(std::shared_ptr<const DataDirectory> directory, FileBlobHooks hooks,
                             uint64_t first_serial)
    : home_(std::make_shared<const FileBlob::Home>(
          FileBlob::Home{std::move(directory), std::move(hooks)})),
      block_bytes_(BlockBytes(*home_->directory)),
      next_serial_(first_serial) {}

absl::StatusOr<std::unique_ptr<Blob>> FileBlobStore::Create(absl::optional<uint64_t> size) {
  const uint64_t number = NextSerial();
  return FileBlob::Create(home_, BlobName{number, static_cast<uint8_t>(number)}, size);
}

absl::StatusOr<std::unique_ptr<Blob>> FileBlobStore::CreateFor(const ObjectId& object_id,
                                                               absl::optional<uint64_t> size) {
  return FileBlob::Create(home_, BlobName{NextSerial(), BlobName::ShardOf(object_id)}, size);
}

std::unique_ptr<FileBlob> FileBlobStore::Open(const BlobName& name, uint64_t size,
                                              uint64_t footprint) const {
  return std::make_unique<FileBlob>(home_, name, size, footprint);
}

uint64_t FileBlobStore::FootprintOf(uint64_t size) const {
  return (size + block_bytes_ - 1) / block_bytes_ * block_bytes_;
}

}  // namespace packice
