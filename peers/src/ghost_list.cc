#include "ghost_list.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace packice {
namespace {

uint64_t PlaceFor(uint64_t fingerprint, uint32_t index) {
  return fingerprint << 32 | (uint64_t{index} + 1);
}

size_t HomeOf(uint64_t place) { return place >> 32; }
uint32_t IndexOf(uint64_t place) { return static_cast<uint32_t>(place) - 1; }

constexpr size_t kFirstPlaces = 16;

}  // namespace

uint64_t GhostList::FingerprintOf(const ObjectId& id) {
  return absl::Hash<absl::string_view>()(id.bytes());
}

void GhostList::Prefetch(uint64_t fingerprint) const {
  const Part& part = parts_[fingerprint >> 56];
  if (part.used == 0) return;
  __builtin_prefetch(&part.places[HomeOf(PlaceFor(fingerprint, 0)) & part.mask], 1);
}

void GhostList::Enter(Part& part, uint64_t place) {
  size_t at = HomeOf(place) & part.mask;
  while (part.places[at] != 0) at = (at + 1) & part.mask;
  part.places[at] = place;
  ++part.used;
}

// What follows and would not be found past a gap moves up.
void GhostList::Erase(Part& part, size_t at) {
  for (size_t next = (at + 1) & part.mask; part.places[next] != 0; next = (next + 1) & part.mask) {
    const size_t home = HomeOf(part.places[next]);
    if (((next - home) & part.mask) < ((next - at) & part.mask)) continue;
    part.places[at] = part.places[next];
    at = next;
  }
  part.places[at] = 0;
  --part.used;
}

void GhostList::Grow(Part& part) {
  Part larger;
  const size_t places = part.places == nullptr ? 0 : part.mask + 1;
  const size_t more = std::max(kFirstPlaces, 2 * places);
  larger.places = std::make_unique<uint64_t[]>(more);
  larger.mask = more - 1;
  for (size_t i = 0; i < places; ++i) {
    if (part.places[i] != 0) Enter(larger, part.places[i]);
  }
  part = std::move(larger);
}

GhostList::Index GhostList::NewGhost() {
  if (free_ == kNone) {
    constexpr Index kChunk = 1 << kChunkBits;
    const Index first = static_cast<Index>(chunks_.size() << kChunkBits);
    chunks_.push_back(std::make_unique<Ghost[]>(kChunk));
    for (Index i = first + kChunk; i > first; --i) {
      At(i - 1).younger = free_;
      free_ = i - 1;
    }
  }
  const Index index = free_;
  free_ = At(index).younger;
  return index;
}

bool GhostList::Forget(uint64_t fingerprint) {
  Part& part = PartOf(fingerprint);
  if (part.used == 0) return false;
  const uint64_t half = HomeOf(PlaceFor(fingerprint, 0));
  size_t at = half & part.mask;
  for (; part.places[at] != 0; at = (at + 1) & part.mask) {
    if (HomeOf(part.places[at]) != half) continue;
    const Index index = IndexOf(part.places[at]);
    Ghost& ghost = At(index);
    if (ghost.fingerprint != fingerprint) continue;
    Erase(part, at);
    (ghost.older == kNone ? oldest_ : At(ghost.older).younger) = ghost.younger;
    (ghost.younger == kNone ? youngest_ : At(ghost.younger).older) = ghost.older;
    bytes_ -= ghost.bytes;
    --size_;
    ghost.younger = free_;
    free_ = index;
    return true;
  }
  return false;
}

void GhostList::Add(const ObjectId& id, uint64_t bytes, uint64_t limit, size_t max_entries) {
  const uint64_t fingerprint = FingerprintOf(id);
  Forget(fingerprint);
  // One that is larger than all that may be remembered is not, and pushes none out.
  const size_t at_most = std::min<size_t>(max_entries, kNone - (1 << kChunkBits));
  if (bytes > limit || at_most == 0) return;
  while (bytes_ > limit - bytes || size_ >= at_most) Forget(At(oldest_).fingerprint);
  const Index index = NewGhost();
  At(index) = Ghost{fingerprint, bytes, youngest_, kNone};
  (youngest_ == kNone ? oldest_ : At(youngest_).younger) = index;
  youngest_ = index;
  bytes_ += bytes;
  ++size_;
  Part& part = PartOf(fingerprint);
  if (part.places == nullptr || 4 * (part.used + 1) > 3 * (part.mask + 1)) Grow(part);
  Enter(part, PlaceFor(fingerprint, index));
  // The next to be forgotten. Its own line is at hand: it was the neighbour of the one before.
  const Ghost& oldest = At(oldest_);
  Prefetch(oldest.fingerprint);
  if (oldest.younger != kNone) __builtin_prefetch(&At(oldest.younger), 1);
}

bool GhostList::Take(const ObjectId& id) { return Forget(FingerprintOf(id)); }

}  // namespace packice
