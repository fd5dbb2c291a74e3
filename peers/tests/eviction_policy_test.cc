// The rules that every eviction policy keeps.
#include "packice/peers/eviction_policy.h"

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/peers/eviction_spec.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kCapacity = 100;

class EvictionPolicyTest : public testing::TestWithParam<std::string> {
 protected:
  EvictionEntry& Add(absl::string_view id, uint64_t bytes = 10) {
    EvictionEntry& entry = entries_.emplace_back();
    entry.id = *ObjectId::Parse(id);
    entry.incarnation = entries_.size();
    entry.charged = bytes;
    policy_->Insert(entry);
    return entry;
  }

  std::string Evict() {
    const absl::optional<Victim> victim = policy_->Evict();
    return victim.has_value() ? std::string(victim->object_id.bytes()) : "";
  }

  std::vector<std::string> EvictAll() {
    std::vector<std::string> order;
    for (std::string id = Evict(); !id.empty(); id = Evict()) order.push_back(id);
    return order;
  }

  FakeClock clock_;
  std::deque<EvictionEntry> entries_;
  std::unique_ptr<EvictionPolicy> policy_ =
      MakeEvictionPolicy(*ParseEvictionSpec(GetParam()), kCapacity, clock_);
};

TEST_P(EvictionPolicyTest, HasNoVictimWithoutObjects) {
  EXPECT_EQ(Evict(), "");
  EXPECT_EQ(policy_->ColdestAge(), absl::nullopt);
}

TEST_P(EvictionPolicyTest, EvictsInTheOrderOfInsertionWhatNobodyRead) {
  Add("a");
  Add("b");
  Add("c");
  EXPECT_THAT(EvictAll(), ElementsAre("a", "b", "c"));
}

TEST_P(EvictionPolicyTest, NamesTheIncarnation) {
  Add("a");
  const uint64_t incarnation = Add("b").incarnation;
  Evict();
  EXPECT_EQ(policy_->Evict()->incarnation, incarnation);
}

TEST_P(EvictionPolicyTest, WhatIsRemovedIsNeverAVictim) {
  Add("a");
  EvictionEntry& b = Add("b");
  Add("c");
  policy_->Remove(b);
  EXPECT_THAT(EvictAll(), ElementsAre("a", "c"));
}

TEST_P(EvictionPolicyTest, WhatIsPinnedIsNeverAVictim) {
  EvictionEntry& a = Add("a");
  Add("b");
  policy_->Pin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("b"));
  EXPECT_THAT(EvictAll(), IsEmpty());
}

TEST_P(EvictionPolicyTest, HasNoVictimWhileEverythingIsPinned) {
  EvictionEntry& a = Add("a");
  EvictionEntry& b = Add("b");
  policy_->Pin(a);
  policy_->Pin(b);
  EXPECT_EQ(Evict(), "");
  policy_->Unpin(b);
  EXPECT_EQ(Evict(), "b");
  policy_->Unpin(a);
  EXPECT_EQ(Evict(), "a");
}

TEST_P(EvictionPolicyTest, APinIsNoHit) {
  EvictionEntry& a = Add("a");
  Add("b");
  for (int i = 0; i < 5; ++i) {
    policy_->Pin(a);
    policy_->Unpin(a);
  }
  EXPECT_THAT(EvictAll(), ElementsAre("a", "b"));
}

TEST_P(EvictionPolicyTest, AParkedObjectIsTheNextToGoOnceItIsUnpinned) {
  EvictionEntry& a = Add("a");
  Add("b");
  Add("c");
  policy_->Pin(a);
  EXPECT_EQ(Evict(), "b");
  policy_->Unpin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("a", "c"));
}

TEST_P(EvictionPolicyTest, APinnedObjectIsMetOnce) {
  EvictionEntry& a = Add("a");
  for (const char* id : {"b", "c", "d"}) Add(id);
  policy_->Pin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("b", "c", "d"));
  EXPECT_EQ(policy_->skips(), 1u);
}

TEST_P(EvictionPolicyTest, WhatIsPinnedAfterItWasChosenComesBack) {
  EvictionEntry& a = Add("a");
  Add("b");
  EXPECT_EQ(Evict(), "a");
  policy_->Pin(a);  // the peer was slower than a reader
  EXPECT_EQ(Evict(), "b");
  policy_->Unpin(a);
  EXPECT_EQ(Evict(), "a");
}

TEST_P(EvictionPolicyTest, AParkedObjectCanBeRemoved) {
  EvictionEntry& a = Add("a");
  policy_->Pin(a);
  EXPECT_EQ(Evict(), "");
  policy_->Remove(a);
  EXPECT_EQ(Evict(), "");
  Add("b");
  EXPECT_THAT(EvictAll(), ElementsAre("b"));
}

TEST_P(EvictionPolicyTest, AChosenObjectCanBeRemoved) {
  EvictionEntry& a = Add("a");
  EXPECT_EQ(Evict(), "a");
  policy_->Remove(a);
  EXPECT_EQ(Evict(), "");
}

TEST_P(EvictionPolicyTest, AParkedObjectThatIsReadIsThereOnceItIsUnpinned) {
  EvictionEntry& a = Add("a");
  policy_->Pin(a);
  EXPECT_EQ(Evict(), "");
  policy_->Hit(a);
  EXPECT_EQ(Evict(), "");
  policy_->Unpin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("a"));
}

TEST_P(EvictionPolicyTest, AnIdMayComeAgain) {
  Add("a");
  EXPECT_EQ(Evict(), "a");
  Add("a");
  Add("b");
  EXPECT_THAT(EvictAll(), UnorderedElementsAre("a", "b"));
}

TEST_P(EvictionPolicyTest, WhatIsExpectedIsNotThereYet) {
  EvictionEntry expected;
  expected.id = *ObjectId::Parse("a");
  policy_->Expect(expected);
  Add("b");
  EXPECT_THAT(EvictAll(), ElementsAre("b"));
  policy_->Insert(expected);
  EXPECT_THAT(EvictAll(), ElementsAre("a"));
}

TEST_P(EvictionPolicyTest, TellsHowLongTheNextToGoHasNotBeenUsed) {
  Add("a");
  clock_.Advance(absl::Seconds(5));
  Add("b");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(policy_->ColdestAge(), absl::Seconds(7));
  Evict();
  EXPECT_EQ(policy_->ColdestAge(), absl::Seconds(2));
}

TEST_P(EvictionPolicyTest, TheAgeIsNotThatOfAPinnedObject) {
  policy_->Pin(Add("a"));
  clock_.Advance(absl::Seconds(5));
  Add("b");
  EXPECT_EQ(policy_->ColdestAge(), absl::ZeroDuration());
}

TEST_P(EvictionPolicyTest, TakesObjectsOfAnySize) {
  Add("a", 0);
  Add("b", kCapacity * 1000);
  Add("c", ~uint64_t{0} >> 2);
  EXPECT_THAT(EvictAll(), UnorderedElementsAre("a", "b", "c"));
}

INSTANTIATE_TEST_SUITE_P(Policies, EvictionPolicyTest,
                         testing::Values("fifo", "lru", "s3fifo", "sieve", "gdsf"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace packice
