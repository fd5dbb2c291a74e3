// A Bloom filter of object ids: tells which ids are surely not held, at about ten bits an object.
// Thread-compatible.
//
// One hash of an id gives all its places (Kirsch and Mitzenmacher, ESA 2006), so ids can be added
// at a distance by their hashes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/object_id.h"

namespace packice {

struct ObjectHash {
  uint64_t low = 0;
  uint64_t high = 0;

  // The same on each platform.
  static ObjectHash Of(const ObjectId& object_id);
};

class ObjectFilter {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;
  static constexpr size_t kMinBytes = 128;
  static constexpr uint32_t kProbes = 7;  // the best number for ten bits

  // Large enough for so many, up to kMaxBytes: beyond that it says yes more often.
  explicit ObjectFilter(size_t objects = 0);
  // Nothing unless `bits` has the size of a filter.
  static absl::optional<ObjectFilter> Decode(absl::string_view bits);

  void Add(const ObjectHash& hash);
  bool MayContain(const ObjectHash& hash) const;
  bool MayContain(const ObjectId& object_id) const { return MayContain(ObjectHash::Of(object_id)); }

  // Whether it has ten bits for each of so many, or cannot grow.
  bool FitFor(size_t objects) const;
  // How often it says yes to what it does not hold, by the bits that are set: 0 to 1.
  double FalsePositiveRate() const;

  const std::string& bits() const { return bits_; }

 private:
  uint64_t Place(const ObjectHash& hash, uint32_t probe) const {
    return (hash.low + probe * hash.high) & (8 * bits_.size() - 1);
  }

  std::string bits_;  // a power of two of bytes
};

}  // namespace packice
