// A blob in memory of its own: one memfd, which the kernel itself seals.
//
// Owned by whoever created it; the memory goes when it does, or when the last process that was
// handed the descriptor lets go. Thread-safe as Blob asks. No call blocks on anything but the
// kernel.
//
// While it is written, a client that holds the descriptor may write through it or through a shared
// mapping; a declared size holds for that client too, by seals (fcntl(2), F_SEAL_GROW and
// F_SEAL_SHRINK). Once sealed, no process can change a byte or the size, or map it writable and
// shared, whatever its privileges.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/blob.h"
#include "packice/core/fd_blob.h"

namespace packice {

class MemfdBlob final : public Blob {
 public:
  // `size` in bytes as BlobStore::Create has it; its pages are made as they are written.
  // `unsupported` where the kernel or a sandbox has no memfd; `capacity` when descriptors run out,
  // or the size is beyond all the machine's memory; `invalid_argument` for one that no file can
  // have (2^63 or more).
  static absl::StatusOr<std::unique_ptr<MemfdBlob>> Create(absl::optional<uint64_t> size);

  uint64_t size() const override { return view_.size(); }
  bool sealed() const override { return view_.sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return view_.Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return view_.Write(offset, bytes);
  }

  // Beyond what Blob::Seal says: `permission_denied` when a client has put F_SEAL_SEAL on the
  // memory before us, and when it is sealed already; `busy` also when a client changed the size
  // meanwhile, against which only a declared size protects. The descriptors that clients hold may
  // stay open.
  absl::Status Seal(absl::optional<uint64_t> size) override;

  absl::StatusOr<Mapping> Map(MapAccess access) const override { return view_.Map(access); }
  BlobDescriptor Describe() const override { return view_.Describe(); }

 private:
  MemfdBlob(UniqueFd fd, absl::optional<uint64_t> declared);

  const std::shared_ptr<const UniqueFd> fd_;
  const absl::optional<uint64_t> declared_;
  FdBlob view_;
};

}  // namespace packice
