// A memory that does all that C++ lets a memory do, for the protocol of a read index's slot: it
// runs the templates of read_index_slot.h and tries every value that each load may give.
//
// How: each location keeps every value ever stored to it, in order; each thread has a view, the
// oldest value of each location that it may still read. A stored value carries the view that
// whoever reads it takes over: the writer's own for a release store, that of the last release fence
// for a relaxed one. An acquire load takes it over at once, a relaxed one at the next acquire
// fence. This is C++'s model without loads that depend on their own future, which need a thread
// that loads, then stores what others load; here readers store nothing.
//
// Because readers store nothing and writers hold a lock, writers run first, and what they have done
// is the history. A reader that ran in the middle of it would have had no choice that one who runs
// afterwards and may read old values has not: so trying all choices of one reader afterwards is
// trying all interleavings and reorderings, and with any number of other readers. Single-threaded.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace packice {

// What is broken on purpose, to see that it is noticed.
enum class Breakage {
  kNone,
  kNoReleaseFence,
  kNoAcquireFence,
  kRelaxedLoads,
  kRelaxedStores,
  kNoOddVersion,
  kVersionStays,
};

class Model {
 public:
  using View = std::array<uint8_t, 24>;
  struct Thread {
    View now = {};         // what it may still read
    View at_acquire = {};  // and once it has issued an acquire fence
    View released = {};    // what it knew at its last release fence
  };

  explicit Model(Breakage broken = Breakage::kNone) : broken_(broken) { current = this; }
  ~Model() { current = nullptr; }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  size_t AddLocation() {
    history_.push_back({Stored{0, {}}});
    return history_.size() - 1;
  }

  // A thread that knows all that `before` did, as one who takes a lock after it.
  static Thread After(const Thread& before) { return Thread{before.now, before.now, {}}; }

  // Runs `body()` once for each way in which its loads may turn out, until it returns false; says
  // how often. The reader knows what `from` did, as one who was sent a descriptor.
  template <typename Body>
  size_t ForAllReads(const Thread& from, const Body& body) {
    size_t runs = 0;
    choices_.clear();
    bool goes_on = true;
    do {
      Thread reader = After(from);
      running = &reader;
      next_choice_ = 0;
      goes_on = body();
      ++runs;
    } while (NextChoices() && goes_on);
    running = nullptr;
    return runs;
  }

  uint64_t Load(size_t at, std::memory_order order) {
    const size_t oldest = running->now[at];
    const size_t picked = oldest + Choose(history_[at].size() - oldest);
    const Stored& stored = history_[at][picked];
    running->now[at] = static_cast<uint8_t>(picked);
    Join(running->at_acquire, running->now);
    Join(running->at_acquire, stored.view);
    if (order == std::memory_order_acquire && broken_ != Breakage::kRelaxedLoads) {
      Join(running->now, stored.view);
    }
    return stored.value;
  }

  void Store(size_t at, uint64_t value, std::memory_order order, bool is_version) {
    if (is_version && broken_ == Breakage::kNoOddVersion && value % 2 != 0) return;
    if (is_version && broken_ == Breakage::kVersionStays && value % 2 == 0) value = 2;
    running->now[at] = static_cast<uint8_t>(history_[at].size());
    const bool release = order == std::memory_order_release && broken_ != Breakage::kRelaxedStores;
    View view = release ? running->now : running->released;
    view[at] = running->now[at];
    history_[at].push_back(Stored{value, view});
  }

  void Fence(std::memory_order order) {
    if (order == std::memory_order_release && broken_ != Breakage::kNoReleaseFence) {
      running->released = running->now;
    }
    if (order == std::memory_order_acquire && broken_ != Breakage::kNoAcquireFence) {
      Join(running->now, running->at_acquire);
    }
  }

  static inline Model* current = nullptr;
  static inline Thread* running = nullptr;

 private:
  struct Stored {
    uint64_t value;
    View view;
  };

  static void Join(View& into, const View& other) {
    for (size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], other[i]);
  }

  size_t Choose(size_t count) {
    if (next_choice_ == choices_.size()) choices_.push_back({0, count});
    return choices_[next_choice_++].first;
  }
  // The last choice that has another way to go takes it.
  bool NextChoices() {
    choices_.resize(next_choice_);
    while (!choices_.empty() && ++choices_.back().first == choices_.back().second) {
      choices_.pop_back();
    }
    return !choices_.empty();
  }

  const Breakage broken_;
  std::vector<std::vector<Stored>> history_;
  std::vector<std::pair<size_t, size_t>> choices_;  // taken, of how many
  size_t next_choice_ = 0;
};

// The Memory of read_index_slot.h.
struct ModelMemory {
  class Word {
   public:
    uint64_t load(std::memory_order order) const { return Model::current->Load(at_, order); }
    void store(uint64_t value, std::memory_order order) {
      Model::current->Store(at_, value, order, is_version_);
    }
    void set_is_version() { is_version_ = true; }

   private:
    const size_t at_ = Model::current->AddLocation();
    bool is_version_ = false;
  };
  static void Fence(std::memory_order order) { Model::current->Fence(order); }
};

}  // namespace packice
