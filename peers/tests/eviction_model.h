// What each eviction policy does, said as plainly as it can be: lists that are searched from one
// end to the other, and nothing else. For comparison with the policies that do it fast.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "packice/peers/eviction_spec.h"

namespace packice {

// One object as a model has it.
struct ModelObject {
  std::string id;
  uint64_t bytes = 0;
  uint64_t reads = 0;  // as far as the policy counts them
  bool pinned = false;
  bool parked = false;  // in no list, until it is unpinned
  bool main = false;    // S3-FIFO: in the main queue
  double rank = 0;      // GDSF
};

class EvictionModel {
 public:
  EvictionModel(EvictionSpec spec, absl::optional<uint64_t> capacity)
      : spec_(spec), capacity_(capacity) {}

  // What Insert finds out by itself, unless it is asked for earlier.
  void Expect(const std::string& id) { expected_[id] = TakeGhost(id); }

  void Insert(const std::string& id, uint64_t bytes) {
    Object object = std::make_shared<ModelObject>();
    object->id = id;
    object->bytes = bytes;
    all_[id] = object;
    if (spec_.kind == EvictionKind::kS3Fifo) {
      object->main = expected_.count(id) > 0 ? expected_.at(id) : TakeGhost(id);
      expected_.erase(id);
    }
    if (spec_.kind == EvictionKind::kGdsf) Rank(*object);
    QueueOf(*object).push_back(object);
  }

  void Hit(const std::string& id) {
    const Object object = all_.at(id);
    if (spec_.kind == EvictionKind::kS3Fifo)
      object->reads = std::min<uint64_t>(3, object->reads + 1);
    if (spec_.kind == EvictionKind::kSieve) object->reads = 1;
    if (spec_.kind == EvictionKind::kGdsf) {
      ++object->reads;
      Rank(*object);
    }
    if (spec_.kind == EvictionKind::kLru || spec_.kind == EvictionKind::kGdsf) {
      Unlist(object);
      object->parked = false;
      QueueOf(*object).push_back(object);
    }
  }

  void Pin(const std::string& id) { all_.at(id)->pinned = true; }

  void Unpin(const std::string& id) {
    const Object object = all_.at(id);
    object->pinned = false;
    if (!object->parked) return;
    object->parked = false;
    if (spec_.kind == EvictionKind::kSieve) {
      hand_ = queue_.insert(hand_ == queue_.end() ? queue_.begin() : hand_, object);
      return;
    }
    // GDSF: before its equals, which may have come back from being parked themselves.
    for (const Object& other : queue_) {
      if (Worth(*other) == Worth(*object)) object->rank = std::min(object->rank, other->rank);
    }
    QueueOf(*object).push_front(object);
  }

  void Remove(const std::string& id) {
    Unlist(all_.at(id));
    all_.erase(id);
  }

  absl::optional<std::string> Evict() {
    while (const Object object = Next()) {
      Unlist(object);
      if (object->pinned) {
        object->parked = true;
        ++skips_;
        continue;
      }
      if (spec_.kind == EvictionKind::kS3Fifo && !object->main) AddGhost(*object);
      floor_ = std::max(floor_, object->rank);
      all_.erase(object->id);
      return object->id;
    }
    return absl::nullopt;
  }

  uint64_t skips() const { return skips_; }

 private:
  using Object = std::shared_ptr<ModelObject>;
  using Queue = std::list<Object>;  // the oldest first

  Queue& QueueOf(const ModelObject& object) { return object.main ? main_ : queue_; }

  static uint64_t Bytes(const Queue& queue) {
    uint64_t bytes = 0;
    for (const Object& object : queue) bytes += object->bytes;
    return bytes;
  }

  void Unlist(const Object& object) {
    for (Queue* queue : {&queue_, &main_}) {
      const auto found = std::find(queue->begin(), queue->end(), object);
      if (found == queue->end()) continue;
      const bool at_hand = queue == &queue_ && found == hand_;
      const auto younger = queue->erase(found);
      if (at_hand) hand_ = younger;
    }
  }

  Object Next() {
    switch (spec_.kind) {
      case EvictionKind::kS3Fifo:
        return NextOfS3Fifo();
      case EvictionKind::kSieve:
        return NextOfSieve();
      case EvictionKind::kGdsf:
        return NextOfGdsf();
      case EvictionKind::kLru:
      case EvictionKind::kFifo:
        break;
    }
    return queue_.empty() ? nullptr : queue_.front();
  }

  Object NextOfS3Fifo() {
    while (!queue_.empty() || !main_.empty()) {
      const uint64_t whole = Whole();
      const auto small = static_cast<uint64_t>(static_cast<double>(whole) * spec_.small);
      if (queue_.empty() || Bytes(main_) > whole - small) {
        const Object object = main_.front();
        if (object->reads == 0) return object;
        --object->reads;
        main_.splice(main_.end(), main_, main_.begin());
        continue;
      }
      while (!queue_.empty()) {
        const Object object = queue_.front();
        if (object->reads < spec_.promote) return object;
        queue_.pop_front();
        object->reads = 0;
        object->main = true;
        main_.push_back(object);
      }
    }
    return nullptr;
  }

  Object NextOfSieve() {
    while (!queue_.empty()) {
      if (hand_ == queue_.end()) hand_ = queue_.begin();
      if ((*hand_)->reads == 0) return *hand_;
      (*hand_)->reads = 0;
      ++hand_;
    }
    return nullptr;
  }

  // The least rank; of equal ones the one that is worth less, and of these the one that came first.
  Object NextOfGdsf() {
    Object least;
    for (const Object& object : queue_) {
      if (least == nullptr || object->rank < least->rank ||
          (object->rank == least->rank && Worth(*object) < Worth(*least))) {
        least = object;
      }
    }
    return least;
  }

  static double Worth(const ModelObject& object) {
    const double exact = std::log2(static_cast<double>(object.reads + 1) /
                                   static_cast<double>(std::max<uint64_t>(1, object.bytes)));
    return std::exp2(std::round(8 * exact) / 8);
  }

  void Rank(ModelObject& object) const { object.rank = floor_ + Worth(object); }

  uint64_t Whole() const { return capacity_.value_or(Bytes(queue_) + Bytes(main_)); }

  bool TakeGhost(const std::string& id) {
    const auto found = std::find_if(ghosts_.begin(), ghosts_.end(),
                                    [&](const auto& ghost) { return ghost.first == id; });
    if (found == ghosts_.end()) return false;
    ghosts_.erase(found);
    return true;
  }

  void AddGhost(const ModelObject& object) {
    const auto limit = static_cast<uint64_t>(static_cast<double>(Whole()) * spec_.ghost);
    if (object.bytes > limit) return;
    ghosts_.emplace_back(object.id, object.bytes);
    uint64_t bytes = 0;
    for (const auto& ghost : ghosts_) bytes += ghost.second;
    for (; bytes > limit; ghosts_.pop_front()) bytes -= ghosts_.front().second;
  }

  const EvictionSpec spec_;
  const absl::optional<uint64_t> capacity_;
  std::map<std::string, Object> all_;
  Queue queue_;  // S3-FIFO: the small one
  Queue main_;
  Queue::iterator hand_ = queue_.end();
  std::list<std::pair<std::string, uint64_t>> ghosts_;  // the oldest first
  std::map<std::string, bool> expected_;
  double floor_ = 0;
  uint64_t skips_ = 0;
};

}  // namespace packice
