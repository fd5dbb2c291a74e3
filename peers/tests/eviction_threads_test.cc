// Eviction policies under many threads: nothing is lost, nothing comes twice, nothing pinned goes.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "packice/core/mutex.h"
#include "packice/peers/eviction_spec.h"

namespace packice {
namespace {

constexpr size_t kObjects = 200;
constexpr int kThreads = 4;
constexpr int kSteps = 20000;

// An object as a peer has it: calls about its entry are made under its lock.
struct Slot {
  Mutex mutex;
  EvictionEntry entry ABSL_GUARDED_BY(mutex);
  bool present ABSL_GUARDED_BY(mutex) = false;
  int leases ABSL_GUARDED_BY(mutex) = 0;
};

class EvictionThreadsTest : public testing::TestWithParam<std::string> {
 protected:
  EvictionThreadsTest() {
    for (size_t i = 0; i < kObjects; ++i) {
      MutexLock lock(slots_[i].mutex);
      slots_[i].entry.id = *ObjectId::Parse(absl::StrCat(i));
    }
  }

  Slot& SlotOf(const Victim& victim) {
    return slots_[std::stoul(std::string(victim.object_id.bytes()))];
  }

  void Put(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot.mutex) {
    slot.entry.incarnation = next_incarnation_.fetch_add(1);
    slot.entry.charged = 1 + slot.entry.incarnation % 100;
    policy_->Expect(slot.entry);
    policy_->Insert(slot.entry);
    slot.present = true;
  }

  void Acquire(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot.mutex) {
    if (slot.leases++ == 0) {
      policy_->Pin(slot.entry);
      // As an object does that is given another id.
      const std::string number(slot.entry.id.bytes().substr(0, slot.entry.id.bytes().find('/')));
      slot.entry.id = *ObjectId::Parse(
          absl::StrCat(number, "/which is long enough not to fit/", next_incarnation_.load()));
    }
    policy_->Hit(slot.entry);
  }

  void Release(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot.mutex) {
    if (--slot.leases == 0) policy_->Unpin(slot.entry);
  }

  // As LocalPeer does it: the victim may have changed by the time its lock is taken.
  bool EvictOne() {
    while (const absl::optional<Victim> victim = policy_->Evict()) {
      Slot& slot = SlotOf(*victim);
      MutexLock lock(slot.mutex);
      if (!slot.present || slot.entry.incarnation != victim->incarnation || slot.leases > 0) {
        continue;
      }
      policy_->Remove(slot.entry);
      slot.present = false;
      return true;
    }
    return false;
  }

  void Work(unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Slot*> held;
    for (int step = 0; step < kSteps; ++step) {
      Slot& slot = slots_[random() % kObjects];
      const unsigned what = random() % 16;
      if (what == 0) {
        EvictOne();
      } else if (what < 4 && !held.empty()) {
        Slot& mine = *held.back();
        held.pop_back();
        MutexLock lock(mine.mutex);
        Release(mine);
      } else {
        MutexLock lock(slot.mutex);
        if (!slot.present) {
          Put(slot);
        } else if (what == 5 && slot.leases == 0) {
          policy_->Remove(slot.entry);
          slot.present = false;
        } else {
          Acquire(slot);
          held.push_back(&slot);
        }
      }
      if (held.size() < kObjects / 8) continue;
      for (Slot* mine : held) {
        MutexLock lock(mine->mutex);
        Release(*mine);
      }
      held.clear();
    }
    for (Slot* mine : held) {
      MutexLock lock(mine->mutex);
      Release(*mine);
    }
  }

  std::array<Slot, kObjects> slots_;
  std::atomic<uint64_t> next_incarnation_{1};
  const std::unique_ptr<EvictionPolicy> policy_ =
      MakeEvictionPolicy(*ParseEvictionSpec(GetParam()), kObjects * 20);
};

TEST_P(EvictionThreadsTest, EveryObjectGoesOnceAndNoneThatIsPinned) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { Work(i); });
  std::thread observer([&] {
    while (!stop.load()) policy_->ColdestAge();
  });
  for (std::thread& thread : threads) thread.join();
  stop.store(true);
  observer.join();

  size_t there = 0;
  size_t pinned = 0;
  for (Slot& slot : slots_) {
    MutexLock lock(slot.mutex);
    ASSERT_EQ(slot.leases, 0);
    there += slot.present;
    if (slot.present && slot.entry.incarnation % 2 == 0) {
      Acquire(slot);
      ++pinned;
    }
  }
  size_t evicted = 0;
  while (EvictOne()) ++evicted;
  EXPECT_EQ(evicted, there - pinned);
  for (Slot& slot : slots_) {
    MutexLock lock(slot.mutex);
    EXPECT_EQ(slot.present, slot.leases > 0);
    if (slot.present) Release(slot);
  }
  evicted = 0;
  while (EvictOne()) ++evicted;
  EXPECT_EQ(evicted, pinned);
}

INSTANTIATE_TEST_SUITE_P(Policies, EvictionThreadsTest,
                         testing::Values("fifo", "lru", "s3fifo", "sieve", "gdsf"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace packice
