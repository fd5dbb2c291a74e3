// Puts the objects of a memory store into a ReadIndex, as its peer tells of them: the small ones to
// be read, the others so that a client sees whether an object that it holds still has its id.
//
// Owned by the node; outlives the peer. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "packice/backends/read_index.h"
#include "packice/core/object_index.h"

namespace packice {

class SegmentIndex final : public ObjectIndex {
 public:
  // Larger ones are read under a lease, which costs little beside the copy.
  static constexpr uint64_t kMaxSize = 1 << 20;

  explicit SegmentIndex(std::unique_ptr<ReadIndex> index) : index_(std::move(index)) {}

  // Readable: of one blob, in a segment of this node.
  void Publish(const Object& object, Instant deadline) override;
  void Withdraw(const ObjectId& object_id) override;

  const ReadIndex& index() const { return *index_; }
  // The id of the segment that the index calls 0. All of one store's ids share their upper half,
  // which the index leaves out.
  uint64_t first_segment() const { return first_segment_.load(std::memory_order_relaxed); }

 private:
  const std::unique_ptr<ReadIndex> index_;
  std::atomic<uint64_t> first_segment_{0};  // 0: no object was there yet
};

}  // namespace packice
