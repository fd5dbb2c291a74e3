// A blob in an unlinked temporary file: what stands in where memfd is not to be had.
//
// Owned by whoever created it; the room goes when it does, or when the last process that was handed
// the descriptor lets go. Thread-safe as Blob asks. Calls may block on the file system.
//
// Weaker than MemfdBlob, because only the node's own word stands behind it:
// - A writer that has the descriptor can write past a declared size. Seal cuts that off again.
// - Seal cannot tell whether a writable mapping is open, so it is never `busy`; a client that keeps
//   its writable descriptor or mapping can change bytes after Seal. Clients must be trusted to let
//   go.
// What it can do: readers are handed a descriptor that was opened for reading only, and the file's
// mode lets nobody but root open it for writing again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/blob.h"
#include "packice/core/fd_blob.h"
#include "packice/core/mutex.h"

namespace packice {

class TempFileBlob final : public Blob {
 public:
  // $TMPDIR where it is set, else /dev/shm where that can be written, else /tmp.
  static std::string DefaultDirectory();

  // `size` in bytes as BlobStore::Create has it; room is taken as it is written. `capacity` when
  // descriptors run out, or the size is beyond the whole file system; `invalid_argument` for one
  // that no file can have (2^63 or more); `permission_denied` or `io` when no file can be made in
  // `directory`.
  static absl::StatusOr<std::unique_ptr<TempFileBlob>> Create(absl::optional<uint64_t> size,
                                                              const std::string& directory);

  uint64_t size() const override { return View()->size(); }
  bool sealed() const override { return View()->sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return View()->Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return View()->Write(offset, bytes);
  }
  // Beyond what Blob::Seal says: `permission_denied` when it is sealed already.
  absl::Status Seal(absl::optional<uint64_t> size) override;
  absl::StatusOr<Mapping> Map(MapAccess access) const override { return View()->Map(access); }
  BlobDescriptor Describe() const override { return View()->Describe(); }

 private:
  TempFileBlob(UniqueFd fd, absl::optional<uint64_t> declared);

  std::shared_ptr<FdBlob> View() const {
    MutexLock lock(mutex_);
    return view_;
  }

  const absl::optional<uint64_t> declared_;
  mutable Mutex mutex_;
  // Over the writer's descriptor until Seal, then over the readers'.
  std::shared_ptr<FdBlob> view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
