// What an object is made of, so that each piece of it can be checked by itself: made when the
// object is sealed, the same at every node that has it. A value, shared as const;
// thread-compatible.
//
// Pieces run over all blobs of the object as one run of bytes, so a piece may hold the end of one
// blob and the start of the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/metadata.h"
#include "packice/p2p/content_digest.h"

namespace packice {

struct Manifest {
  static constexpr uint64_t kMinPieceBytes = 64 << 10;
  static constexpr uint64_t kMaxPieceBytes = 4 << 20;
  // More would make the manifest itself a burden: 1 TiB of objects in pieces of 4 MiB.
  static constexpr uint32_t kMaxPieces = 1 << 18;

  HashKind hash = HashKind::kXxh3;
  uint64_t piece_size = kMinPieceBytes;  // bytes; only the last piece may be shorter
  std::vector<uint64_t> blob_sizes;      // bytes
  Metadata metadata;
  absl::optional<absl::Time> expires_at;  // of the object, in whole milliseconds
  std::string piece_digests;              // one after another, DigestBytes(hash) each

  // The power of two that is nearest to a 256th of the size from above, from kMinPieceBytes to
  // kMaxPieceBytes.
  static uint64_t PieceSizeFor(uint64_t size);

  uint64_t size() const;  // bytes, over all blobs
  uint32_t pieces() const;
  uint64_t PieceBytes(uint32_t piece) const;   // how long it is
  uint64_t PieceOffset(uint32_t piece) const;  // in the run of all blobs
  absl::string_view PieceDigest(uint32_t piece) const;

  // The form that is hashed and sent: versioned, canonical, so that equal manifests have equal
  // bytes (docs/protocol-p2p.md).
  std::string Encode() const;
  // The inverse. `invalid_argument` for anything that Encode does not make, absurd counts among
  // it; `unsupported` for another version.
  static absl::StatusOr<Manifest> Decode(absl::string_view encoded);

  // Names the object's content: the hash of Encode().
  ContentDigest Digest() const;
};

}  // namespace packice
