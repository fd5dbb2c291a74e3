// A contiguous run of bytes in memory or storage: written once, sealed, then only read.
//
// A blob belongs to the Object that lists it. Reads may run on many threads at once; the creator's
// Write and Seal exclude one another and everything else, which the lease rules see to. Calls may
// block on the medium.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/blob_descriptor.h"
#include "packice/core/mapping.h"
#include "packice/core/piece_sums.h"

namespace packice {

class Blob {
 public:
  virtual ~Blob() = default;

  // In bytes. Of a blob created without a size: how far it was written.
  virtual uint64_t size() const = 0;

  virtual bool sealed() const = 0;

  // What it takes up of its medium, in bytes: what counts against a capacity.
  virtual uint64_t footprint() const { return size(); }

  // Copies bytes from `offset` on into `out` and returns how many: fewer only where the blob ends.
  // `io`.
  virtual absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const = 0;

  // Writes all of `bytes` at `offset`. A declared size is a limit: beyond it `invalid_argument`.
  // After Seal `permission_denied`. `capacity` when the medium is full, else `io`.
  virtual absl::Status Write(uint64_t offset, absl::string_view bytes) = 0;

  // Freezes the bytes for good, by the kernel's word where the medium has it. `size` sets the final
  // size of a blob that was created without one (`invalid_argument` where it contradicts a declared
  // one). `busy` while somebody still maps it writable; the blob is then as before.
  virtual absl::Status Seal(absl::optional<uint64_t> size) = 0;

  // The bytes in memory without a copy. kReadWrite of a sealed blob: `permission_denied`.
  // `unsupported` where the medium cannot.
  virtual absl::StatusOr<Mapping> Map(MapAccess access) const = 0;

  // The sums that were computed when the blob was sealed. `unsupported` where the medium keeps
  // none; `io`, `corrupt`.
  virtual absl::StatusOr<PieceSums> Sums() const;

  // How another process reaches the bytes.
  virtual BlobDescriptor Describe() const = 0;
};

}  // namespace packice
