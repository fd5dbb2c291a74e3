#include "object_rest.h"

#include <cstdint>

#include "packed_numbers.h"

namespace packice {
namespace {

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
