#include "object_rest.h"

#include <cstdint>

namespace packice {
namespace {

// Seven bits a byte, lowest first; the high bit says that more follow.
void PutNumber(std::string& out, uint64_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(number | 0x80));
    number >>= 7;
  }
  out.push_back(static_cast<char>(number));
}

uint64_t TakeNumber(absl::string_view& in) {
  uint64_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
}

// Differences of either sign, small ones in few bytes.
uint64_t Fold(uint64_t difference) { return (difference << 1) ^ (0 - (difference >> 63)); }
uint64_t Unfold(uint64_t folded) { return (folded >> 1) ^ (0 - (folded & 1)); }

// A footprint is a number of blocks: mostly those that the size needs.
constexpr uint64_t kBlock = 512;

}  // namespace

std::string ObjectRest::Pack() const {
  std::string out;
  const auto sealed = static_cast<uint64_t>(absl::ToUnixNanos(sealed_at));
  PutNumber(out, sealed);
  PutNumber(out, Fold(sealed - static_cast<uint64_t>(absl::ToUnixNanos(created_at))));
  PutNumber(out, blobs.size());
  uint64_t previous = 0;
  for (const CatalogBlob& blob : blobs) {
    PutNumber(out, Fold(blob.name.number - previous));
    previous = blob.name.number;
    out.push_back(static_cast<char>(blob.name.shard));
    PutNumber(out, blob.size);
    const bool whole_blocks = blob.footprint % kBlock == 0;
    PutNumber(out, whole_blocks ? blob.footprint / kBlock << 1 : blob.footprint << 1 | 1);
  }
  out.append(metadata.data(), metadata.size());
  return out;
}

ObjectRest ObjectRest::Unpack(absl::string_view packed) {
  ObjectRest rest;
  const uint64_t sealed = TakeNumber(packed);
  const uint64_t created = sealed - Unfold(TakeNumber(packed));
  rest.sealed_at = absl::FromUnixNanos(static_cast<int64_t>(sealed));
  rest.created_at = absl::FromUnixNanos(static_cast<int64_t>(created));
  rest.blobs.resize(TakeNumber(packed));
  uint64_t previous = 0;
  for (CatalogBlob& blob : rest.blobs) {
    blob.name.number = previous + Unfold(TakeNumber(packed));
    previous = blob.name.number;
    blob.name.shard = static_cast<uint8_t>(packed.front());
    packed.remove_prefix(1);
    blob.size = TakeNumber(packed);
    const uint64_t footprint = TakeNumber(packed);
    blob.footprint = (footprint & 1) != 0 ? footprint >> 1 : (footprint >> 1) * kBlock;
  }
  rest.metadata = packed;
  return rest;
}

}  // namespace packice
