#include "ghost_list.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace packice {
namespace {

uint64_t FingerprintOf(const ObjectId& id) { return absl::Hash<absl::string_view>()(id.bytes()); }

}  // namespace

bool GhostList::Forget(uint64_t fingerprint) {
  Part& part = PartOf(fingerprint);
  const auto found = part.find(fingerprint);
  if (found == part.end()) return false;
  const Index index = found->second;
  part.erase(found);
  Ghost& ghost = ghosts_[index];
  (ghost.older == kNone ? oldest_ : ghosts_[ghost.older].younger) = ghost.younger;
  (ghost.younger == kNone ? youngest_ : ghosts_[ghost.younger].older) = ghost.older;
  bytes_ -= ghost.bytes;
  --size_;
  ghost.younger = free_;
  free_ = index;
  return true;
}

void GhostList::Add(const ObjectId& id, uint64_t bytes, uint64_t limit, size_t max_entries) {
  const uint64_t fingerprint = FingerprintOf(id);
  Forget(fingerprint);
  // One that is larger than all that may be remembered is not, and pushes none out.
  const size_t at_most = std::min<size_t>(max_entries, kNone);
  if (bytes > limit || at_most == 0) return;
  while (bytes_ > limit - bytes || size_ >= at_most) Forget(ghosts_[oldest_].fingerprint);
  Index index = free_;
  if (index == kNone) {
    index = static_cast<Index>(ghosts_.size());
    ghosts_.emplace_back();
  } else {
    free_ = ghosts_[index].younger;
  }
  ghosts_[index] = Ghost{fingerprint, bytes, youngest_, kNone};
  (youngest_ == kNone ? oldest_ : ghosts_[youngest_].younger) = index;
  youngest_ = index;
  PartOf(fingerprint)[fingerprint] = index;
  bytes_ += bytes;
  ++size_;
}

bool GhostList::Take(const ObjectId& id) { return Forget(FingerprintOf(id)); }

}  // namespace packice
