#include "packice/p2p/manifest.h"

#include <algorithm>
#include <numeric>

#include "packice/p2p/content_hasher.h"

namespace packice {

uint64_t Manifest::PieceSizeFor(uint64_t size) {
  uint64_t piece = kMinPieceBytes;
  while (piece < kMaxPieceBytes && piece * 256 < size) piece *= 2;
  return piece;
}

uint64_t Manifest::size() const {
  return std::accumulate(blob_sizes.begin(), blob_sizes.end(), uint64_t{0});
}

uint32_t Manifest::pieces() const {
  return static_cast<uint32_t>((size() + piece_size - 1) / piece_size);
}

uint64_t Manifest::PieceBytes(uint32_t piece) const {
  return std::min(piece_size, size() - PieceOffset(piece));
}

uint64_t Manifest::PieceOffset(uint32_t piece) const { return piece * piece_size; }

absl::string_view Manifest::PieceDigest(uint32_t piece) const {
  const size_t bytes = DigestBytes(hash);
  return absl::string_view(piece_digests).substr(piece * bytes, bytes);
}

ContentDigest Manifest::Digest() const { return HashOf(hash, Encode()); }

}  // namespace packice
