// The blobs of an object as one run of bytes in this process's memory, to be read: also of an
// object that is still being written, and good after it is sealed, because a private mapping does
// not count as a writer (fcntl(2), F_SEAL_WRITE). Move-only; reading is thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/mapping.h"
#include "packice/core/object.h"
#include "packice/core/unique_fd.h"
#include "packice/p2p/piece_store.h"

namespace packice {

class BlobView {
 public:
  // `unsupported` for an object whose bytes are not on this host; `capacity`, `io`.
  static absl::StatusOr<BlobView> Map(std::shared_ptr<Object> object);
  BlobView(BlobView&& other) noexcept = default;
  BlobView& operator=(BlobView&& other) noexcept = default;
  ~BlobView();

  // Bytes of the run, which has them.
  PieceStore::Bytes Slice(uint64_t offset, uint64_t size) const;

  // The same bytes as parts of open files, for sendfile(2). Empty where there are none.
  PieceStore::FileRanges Files(uint64_t offset, uint64_t size) const;

 private:
  struct Part {
    uint64_t start = 0;  // in the run
    absl::Span<const char> bytes;
    std::shared_ptr<const UniqueFd> fd;  // null: borrowed memory
    uint64_t fd_offset = 0;
    void* base = nullptr;  // what is unmapped in the end; null: `mapping` does
    size_t length = 0;
    Mapping mapping;
  };

  explicit BlobView(std::shared_ptr<Object> object) : object_(std::move(object)) {}
  absl::Status Add(const Blob& blob, uint64_t start);
  static absl::Status MapPrivate(int fd, uint64_t size, Part& part);

  std::shared_ptr<Object> object_;
  std::vector<Part> parts_;  // empty blobs have none
};

}  // namespace packice
