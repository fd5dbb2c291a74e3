// One content of one id, and which nodes hold it. A tracker keeps millions of these, so the record,
// its id and its digest are one allocation and its holders another. Owned by TrackerTable;
// thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace packice {

// What tells one content of an id from another. The digest alone should, but a liar could then give
// honest holders' content a wrong size.
struct ContentKey {
  absl::string_view object_id;
  absl::string_view digest;  // encoded
  uint64_t size = 0;         // bytes
  uint32_t pieces = 0;

  friend bool operator==(const ContentKey& a, const ContentKey& b) {
    return a.object_id == b.object_id && a.digest == b.digest && a.size == b.size &&
           a.pieces == b.pieces;
  }
};

// First by id. A key of nothing but the id is before all contents of that id.
bool operator<(const ContentKey& a, const ContentKey& b);

// A node that holds the content or a part of it.
struct ContentHolder {
  uint32_t node = 0;  // its slot
  uint32_t pieces_held = 0;
  uint32_t generation = 0;  // of the node, when it said so last
  uint32_t position = 0;    // of the content among those of the node
  uint32_t expires = 0;     // on the table's own scale; 0: never
};

class TrackerContent {
 public:
  struct Delete {
    void operator()(TrackerContent* content) const;
  };
  using Owned = std::unique_ptr<TrackerContent, Delete>;

  // Requires: id and digest are at most 255 bytes long.
  static Owned Make(const ContentKey& key);
  TrackerContent(const TrackerContent&) = delete;
  TrackerContent& operator=(const TrackerContent&) = delete;

  ContentKey key() const { return {object_id(), digest(), size_, pieces_}; }
  absl::string_view object_id() const { return {bytes(), id_size_}; }
  absl::string_view digest() const { return {bytes() + id_size_, digest_size_}; }
  uint64_t size() const { return size_; }
  uint32_t pieces() const { return pieces_; }

  // When it was sealed first, in milliseconds since 1970, as far as its holders told; 0: not known.
  int64_t sealed_at_ms() const { return sealed_at_ms_; }
  void SealedAt(int64_t ms);

  // In the order of their slots. Pointers hold until the next Insert or Erase.
  absl::Span<const ContentHolder> holders() const { return {holders_, count_}; }
  ContentHolder* Find(uint32_t node);
  const ContentHolder* Find(uint32_t node) const {
    return const_cast<TrackerContent*>(this)->Find(node);
  }
  // Requires: the node is no holder yet, or is one, respectively.
  ContentHolder& Insert(uint32_t node);
  void Erase(uint32_t node);

  // Holders of all pieces, those among them that are gone and not yet swept away.
  uint32_t complete() const { return complete_; }
  void CountComplete(int change) { complete_ += static_cast<uint32_t>(change); }

 private:
  explicit TrackerContent(const ContentKey& key);
  ~TrackerContent();

  ContentHolder* LowerBound(uint32_t node);
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  const uint64_t size_;
  int64_t sealed_at_ms_ = 0;
  ContentHolder* holders_ = nullptr;
  uint32_t count_ = 0;
  uint32_t capacity_ = 0;
  uint32_t complete_ = 0;
  const uint32_t pieces_;
  const uint8_t id_size_;
  const uint8_t digest_size_;
};

}  // namespace packice
