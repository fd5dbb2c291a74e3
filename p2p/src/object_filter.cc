#include "object_filter.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "absl/numeric/bits.h"

namespace packice {
namespace {

constexpr size_t kBitsPerObject = 10;

}  // namespace

ObjectHash ObjectHash::Of(const ObjectId& object_id) {
  const XXH128_hash_t hash = XXH3_128bits(object_id.bytes().data(), object_id.bytes().size());
  return ObjectHash{hash.low64, hash.high64};
}

ObjectFilter::ObjectFilter(size_t objects) {
  const size_t wanted = std::min(kMaxBytes, objects * kBitsPerObject / 8);
  bits_.resize(std::max(kMinBytes, absl::bit_ceil(wanted)));
}

absl::optional<ObjectFilter> ObjectFilter::Decode(absl::string_view bits) {
  if (bits.size() < kMinBytes || bits.size() > kMaxBytes || !absl::has_single_bit(bits.size())) {
    return absl::nullopt;
  }
  ObjectFilter filter;
  filter.bits_ = std::string(bits);
  return filter;
}

void ObjectFilter::Add(const ObjectHash& hash) {
  for (uint32_t probe = 0; probe < kProbes; ++probe) {
    const uint64_t place = Place(hash, probe);
    bits_[place / 8] = static_cast<char>(bits_[place / 8] | 1 << (place % 8));
  }
}

bool ObjectFilter::MayContain(const ObjectHash& hash) const {
  for (uint32_t probe = 0; probe < kProbes; ++probe) {
    const uint64_t place = Place(hash, probe);
    if ((bits_[place / 8] >> (place % 8) & 1) == 0) return false;
  }
  return true;
}

bool ObjectFilter::FitFor(size_t objects) const {
  return bits_.size() == kMaxBytes || objects * kBitsPerObject <= 8 * bits_.size();
}

double ObjectFilter::FalsePositiveRate() const {
  size_t set = 0;
  for (char byte : bits_) set += absl::popcount(static_cast<uint8_t>(byte));
  return std::pow(static_cast<double>(set) / static_cast<double>(8 * bits_.size()), kProbes);
}

}  // namespace packice
