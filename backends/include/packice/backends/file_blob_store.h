// Blobs in files of a data directory.
//
// Owned by the peer that fills it; its blobs may outlive it, and keep the directory. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/backends/data_directory.h"
#include "packice/backends/file_blob.h"
#include "packice/core/blob_store.h"
#include "packice/core/object_id.h"

namespace packice {

class FileBlobStore final : public BlobStore {
 public:
  // `first_serial`: where the numbers of new files begin; beyond all that were ever used in this
  // directory (Catalog::FirstSerial).
  FileBlobStore(std::shared_ptr<const DataDirectory> directory, FileBlobHooks hooks,
                uint64_t first_serial);

  // The next of that sequence, which objects have their serials from, too.
  uint64_t NextSerial() { return next_serial_.fetch_add(1, std::memory_order_relaxed); }

  // With a size, the blocks are reserved at once (fallocate(2)): `capacity` when they are not to be
  // had. That does not keep another process to the size: Seal checks it.
  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override;
  // The id chooses the shard. The blob is a FileBlob.
  absl::StatusOr<std::unique_ptr<Blob>> CreateFor(const ObjectId& object_id,
                                                  absl::optional<uint64_t> size) override;

  // A sealed blob of the catalog. No I/O.
  std::unique_ptr<FileBlob> Open(const BlobName& name, uint64_t size, uint64_t footprint) const;

  // Whole blocks of the file system.
  uint64_t FootprintOf(uint64_t size) const override;

 private:
  const std::shared_ptr<const FileBlob::Home> home_;
  const uint64_t block_bytes_;
  std::atomic<uint64_t> next_serial_;
};

}  // namespace packice
