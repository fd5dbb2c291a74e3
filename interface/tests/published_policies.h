// Eviction policies as they were published, in the plainest words: what the production policies are
// held against. No pins, linear time, sizes in whatever unit the capacity has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>

namespace packice::cli {

struct Published {
  virtual ~Published() = default;

  // Whether it was a hit.
  virtual bool Request(uint32_t id, uint64_t size) = 0;
};

struct Cached {
  uint32_t id;
  uint64_t size;
  int freq;
};

using CachedList = std::list<Cached>;  // the head first: where new ones come

inline uint64_t SizeOf(const CachedList& list) {
  uint64_t size = 0;
  for (const Cached& object : list) size += object.size;
  return size;
}

inline CachedList::iterator Find(CachedList& list, uint32_t id) {
  return std::find_if(list.begin(), list.end(),
                      [id](const Cached& object) { return object.id == id; });
}

// The tail goes. A hit brings to the head (LRU) or does not (FIFO).
class PublishedQueue : public Published {
 public:
  PublishedQueue(uint64_t capacity, bool lru) : capacity_(capacity), lru_(lru) {}

  bool Request(uint32_t id, uint64_t size) override {
    const auto found = Find(queue_, id);
    if (found != queue_.end()) {
      if (lru_) queue_.splice(queue_.begin(), queue_, found);
      return true;
    }
    if (size > capacity_) return false;
    while (SizeOf(queue_) + size > capacity_) queue_.pop_back();
    queue_.push_front({id, size, 0});
    return false;
  }

 private:
  const uint64_t capacity_;
  const bool lru_;
  CachedList queue_;
};

// Zhang et al., NSDI 2024, algorithm 1; freq is the visited bit.
class PublishedSieve : public Published {
 public:
  explicit PublishedSieve(uint64_t capacity) : capacity_(capacity) {}

  bool Request(uint32_t id, uint64_t size) override {
    const auto found = Find(queue_, id);
    if (found != queue_.end()) {
      found->freq = 1;
      return true;
    }
    if (size > capacity_) return false;
    while (SizeOf(queue_) + size > capacity_) Evict();
    queue_.push_front({id, size, 0});
    return false;
  }

 private:
  // end() is the hand at the tail, as nothing is in the paper.
  void Evict() {
    if (hand_ == queue_.end()) --hand_;
    while (hand_->freq != 0) {
      hand_->freq = 0;
      hand_ = hand_ == queue_.begin() ? std::prev(queue_.end()) : std::prev(hand_);
    }
    const auto victim = hand_;
    hand_ = hand_ == queue_.begin() ? queue_.end() : std::prev(hand_);
    queue_.erase(victim);
  }

  const uint64_t capacity_;
  CachedList queue_;
  CachedList::iterator hand_ = queue_.end();
};

// Yang et al., SOSP 2023, algorithm 1, in bytes. docs/eviction.md has the points that it leaves
// open; here they are marked "open".
class PublishedS3Fifo : public Published {
 public:
  PublishedS3Fifo(uint64_t capacity, double small, double ghost, int promote)
      : capacity_(capacity),
        main_capacity_(capacity - Part(small)),
        ghost_capacity_(Part(ghost)),
        promote_(promote) {}

  bool Request(uint32_t id, uint64_t size) override {
    for (CachedList* const queue : {&small_, &main_}) {
      const auto found = Find(*queue, id);
      if (found == queue->end()) continue;
      found->freq = std::min(found->freq + 1, 3);
      return true;
    }
    if (size > capacity_) return false;
    // Open: the ghost is asked before the evictions, and forgets what it was asked for.
    const auto ghost = Find(ghost_, id);
    CachedList& queue = ghost != ghost_.end() ? main_ : small_;
    if (ghost != ghost_.end()) ghost_.erase(ghost);
    while (SizeOf(small_) + SizeOf(main_) + size > capacity_) Evict();
    queue.push_front({id, size, 0});
    return false;
  }

 private:
  uint64_t Part(double part) const {
    return static_cast<uint64_t>(static_cast<double>(capacity_) * part);
  }

  void Evict() {
    // Open: whose turn it is while neither queue is at its part.
    if (SizeOf(main_) > main_capacity_ || small_.empty()) {
      EvictMain();
    } else {
      EvictSmall();
    }
  }

  void EvictSmall() {
    while (!small_.empty()) {
      Cached object = small_.back();
      small_.pop_back();
      if (object.freq < promote_) {
        Remember(object);
        return;
      }
      object.freq = 0;  // open: it starts anew in the main queue
      main_.push_front(object);
    }
    EvictMain();  // open: when all were promoted
  }

  void EvictMain() {
    while (main_.back().freq > 0) {
      --main_.back().freq;
      main_.splice(main_.begin(), main_, std::prev(main_.end()));
    }
    main_.pop_back();
  }

  void Remember(const Cached& object) {
    if (object.size > ghost_capacity_) return;  // open: it pushes no others out
    ghost_.push_front(object);
    while (SizeOf(ghost_) > ghost_capacity_) ghost_.pop_back();
  }

  const uint64_t capacity_;
  const uint64_t main_capacity_;
  const uint64_t ghost_capacity_;
  const int promote_;
  CachedList small_;
  CachedList main_;
  CachedList ghost_;
};

}  // namespace packice::cli
