#include "rendezvous.h"

#include <xxhash.h>

#include "absl/algorithm/container.h"

namespace packice {

Rendezvous::Rendezvous(const std::vector<std::string>& names) {
  for (const std::string& name : names) seeds_.push_back(XXH3_64bits(name.data(), name.size()));
}

Rendezvous::Chosen Rendezvous::Of(const ObjectId& object_id) const {
  const absl::string_view id = object_id.bytes();
  Chosen chosen;
  uint64_t weights[kCopies] = {0, 0};
  for (size_t i = 0; i < seeds_.size(); ++i) {
    const uint64_t weight = XXH3_64bits_withSeed(id.data(), id.size(), seeds_[i]);
    if (chosen.empty() || weight > weights[0]) {
      weights[1] = weights[0];
      weights[0] = weight;
      chosen.insert(chosen.begin(), i);
    } else if (chosen.size() < kCopies || weight > weights[1]) {
      weights[1] = weight;
      chosen.insert(chosen.begin() + 1, i);
    }
    if (chosen.size() > kCopies) chosen.pop_back();
  }
  return chosen;
}

bool Rendezvous::Concerns(const ObjectId& object_id, size_t index) const {
  return seeds_.size() <= kCopies || absl::c_linear_search(Of(object_id), index);
}

}  // namespace packice
