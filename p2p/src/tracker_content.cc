#include "tracker_content.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <tuple>

namespace packice {

bool operator<(const ContentKey& a, const ContentKey& b) {
  const int order = a.object_id.compare(b.object_id);
  if (order != 0) return order < 0;
  return std::tie(a.digest, a.size, a.pieces) < std::tie(b.digest, b.size, b.pieces);
}

TrackerContent::Owned TrackerContent::Make(const ContentKey& key) {
  void* place = ::operator new(sizeof(TrackerContent) + key.object_id.size() + key.digest.size());
  return Owned(new (place) TrackerContent(key));
}

void TrackerContent::Delete::operator()(TrackerContent* content) const {
  content->~TrackerContent();
  ::operator delete(content);
}

TrackerContent::TrackerContent(const ContentKey& key)
    : size_(key.size),
      pieces_(key.pieces),
      id_size_(static_cast<uint8_t>(key.object_id.size())),
      digest_size_(static_cast<uint8_t>(key.digest.size())) {
  char* const behind = reinterpret_cast<char*>(this + 1);
  std::copy(key.object_id.begin(), key.object_id.end(), behind);
  std::copy(key.digest.begin(), key.digest.end(), behind + id_size_);
}

TrackerContent::~TrackerContent() { delete[] holders_; }

// The first that was told, because every copy is sealed anew: by the last one, each copy of an old
// content would make it younger than the new one.
void TrackerContent::SealedAt(int64_t ms) {
  if (ms > 0 && (sealed_at_ms_ == 0 || ms < sealed_at_ms_)) sealed_at_ms_ = ms;
}

ContentHolder* TrackerContent::LowerBound(uint32_t node) {
  return std::lower_bound(
      holders_, holders_ + count_, node,
      [](const ContentHolder& holder, uint32_t slot) { return holder.node < slot; });
}

ContentHolder* TrackerContent::Find(uint32_t node) {
  ContentHolder* const found = LowerBound(node);
  return found != holders_ + count_ && found->node == node ? found : nullptr;
}

ContentHolder& TrackerContent::Insert(uint32_t node) {
  const size_t at = static_cast<size_t>(LowerBound(node) - holders_);
  if (count_ == capacity_) {
    // Most objects have one holder.
    const uint32_t capacity = capacity_ == 0 ? 1 : capacity_ * 2;
    auto* const grown = new ContentHolder[capacity];
    std::copy(holders_, holders_ + count_, grown);
    delete[] holders_;
    holders_ = grown;
    capacity_ = capacity;
  }
  std::copy_backward(holders_ + at, holders_ + count_, holders_ + count_ + 1);
  ++count_;
  holders_[at] = ContentHolder();
  holders_[at].node = node;
  return holders_[at];
}

void TrackerContent::Erase(uint32_t node) {
  ContentHolder* const gone = LowerBound(node);
  std::copy(gone + 1, holders_ + count_, gone);
  --count_;
}

}  // namespace packice
