#include "packice/peers/lru_policy.h"

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

using testing::ElementsAre;

class LruPolicyTest : public testing::Test {
 protected:
  EvictionEntry& Add(absl::string_view id) {
    EvictionEntry& entry = entries_.emplace_back();
    entry.id = *ObjectId::Parse(id);
    entry.incarnation = entries_.size();
    policy_.Insert(entry);
    return entry;
  }

  std::vector<std::string> EvictAll() {
    std::vector<std::string> order;
    while (absl::optional<Victim> victim = policy_.Evict()) {
      order.emplace_back(victim->object_id.bytes());
    }
    return order;
  }

  std::deque<EvictionEntry> entries_;
  LruPolicy policy_;
};

TEST_F(LruPolicyTest, EvictsInTheOrderOfInsertionWhatNobodyUsed) {
  Add("a");
  Add("b");
  Add("c");
  EXPECT_THAT(EvictAll(), ElementsAre("a", "b", "c"));
}

TEST_F(LruPolicyTest, AHitMakesYoung) {
  EvictionEntry& a = Add("a");
  Add("b");
  policy_.Hit(a);
  EXPECT_THAT(EvictAll(), ElementsAre("b", "a"));
}

TEST_F(LruPolicyTest, WhatIsPinnedIsNoVictim) {
  EvictionEntry& a = Add("a");
  Add("b");
  policy_.Pin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("b"));
}

TEST_F(LruPolicyTest, TheLastUnpinIsTheLastUse) {
  EvictionEntry& a = Add("a");
  EvictionEntry& b = Add("b");
  policy_.Pin(a);
  policy_.Pin(b);
  Add("c");
  policy_.Unpin(b);
  policy_.Unpin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("c", "b", "a"));
}

TEST_F(LruPolicyTest, AVictimThatWasPinnedAfterAllComesBack) {
  EvictionEntry& a = Add("a");
  ASSERT_TRUE(policy_.Evict().has_value());
  policy_.Pin(a);
  EXPECT_THAT(EvictAll(), ElementsAre());
  policy_.Unpin(a);
  EXPECT_THAT(EvictAll(), ElementsAre("a"));
}

TEST_F(LruPolicyTest, WhatIsRemovedIsNoVictim) {
  EvictionEntry& a = Add("a");
  Add("b");
  policy_.Remove(a);
  policy_.Remove(a);
  EXPECT_THAT(EvictAll(), ElementsAre("b"));
}

TEST_F(LruPolicyTest, TheOrderHoldsAcrossStripes) {
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back(absl::StrCat(i));
    Add(expected.back());
  }
  EXPECT_EQ(EvictAll(), expected);
}

}  // namespace
}  // namespace packice
