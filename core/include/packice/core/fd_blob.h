// A blob over an open descriptor: what a client holds after a node passed it one.
//
// Shares the descriptor, reads and writes it by position. Does not seal: that is the node's part.
#pragma once

#include <atomic>

#include "packice/core/blob.h"

namespace packice {

class FdBlob final : public Blob {
 public:
  // `writable`: the blob is being created and this process is its writer. `declared`: its size was
  // declared, so that it is a limit to writes; otherwise the descriptor's size is the blob's.
  FdBlob(FdDescriptor descriptor, bool writable, bool declared)
      : descriptor_(std::move(descriptor)), declared_(declared), sealed_(!writable) {}

  uint64_t size() const override;
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;
  // Only marks this process's view: the node has sealed the bytes.
  absl::Status Seal(absl::optional<uint64_t> size) override;
  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  BlobDescriptor Describe() const override { return descriptor_; }

 private:
  FdDescriptor descriptor_;
  const bool declared_;
  std::atomic<bool> sealed_;
};

// The two loops below every blob on a descriptor; they go on after EINTR and short transfers.

// Reads until `out` is full or the file ends; returns how many bytes. `io`.
absl::StatusOr<size_t> ReadAt(int fd, uint64_t offset, absl::Span<char> out);

// Writes all of `bytes`. `capacity` when the medium is full, `permission_denied` when a seal
// refuses, `io`.
absl::Status WriteAt(int fd, uint64_t offset, absl::string_view bytes);

}  // namespace packice
