#include "lowest.h"

#include <algorithm>

namespace packice {

std::vector<uint32_t> LowestSet::All() const {
  std::vector<uint32_t> all;
  for (size_t i = 0; i < words_.size(); ++i) {
    for (uint64_t left = words_[i]; left != 0; left &= left - 1) {
      all.push_back(static_cast<uint32_t>(i * 64) + static_cast<uint32_t>(std::countr_zero(left)));
    }
  }
  return all;
}

void LowestAtLeast::Set(uint32_t number, uint32_t value) {
  size_t leaves = nodes_.size() / 2;
  if (number >= leaves) {
    const std::vector<uint32_t> old(nodes_.begin() + static_cast<ptrdiff_t>(leaves), nodes_.end());
    leaves = std::bit_ceil(size_t{number} + 1);
    nodes_.assign(2 * leaves, 0);
    std::copy(old.begin(), old.end(), nodes_.begin() + static_cast<ptrdiff_t>(leaves));
    for (size_t i = leaves - 1; i > 0; --i) nodes_[i] = std::max(nodes_[2 * i], nodes_[2 * i + 1]);
  }
  size_t i = leaves + number;
  nodes_[i] = value;
  while ((i /= 2) > 0) nodes_[i] = std::max(nodes_[2 * i], nodes_[2 * i + 1]);
}

absl::optional<uint32_t> LowestAtLeast::Find(uint32_t value) const {
  if (nodes_[1] < value) return absl::nullopt;
  size_t i = 1;
  while (i < nodes_.size() / 2) i = nodes_[2 * i] >= value ? 2 * i : 2 * i + 1;
  return static_cast<uint32_t>(i - nodes_.size() / 2);
}

}  // namespace packice
