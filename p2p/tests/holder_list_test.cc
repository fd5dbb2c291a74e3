#include "holder_list.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace packice {
namespace {

constexpr Instant kStart = absl::Hours(1);

class HolderListTest : public ::testing::Test {
 protected:
  std::string Take(Instant now) {
    const HolderList::Entry* const entry = holders_.Take(now);
    return entry == nullptr ? "" : entry->address;
  }

  RandomStream random_{1};
  HolderList holders_{"me", random_};
};

TEST_F(HolderListTest, NeverListsTheNodeItselfNorAnybodyTwice) {
  EXPECT_FALSE(holders_.Learn("me", false, kStart));
  EXPECT_FALSE(holders_.Learn("", false, kStart));
  EXPECT_TRUE(holders_.Learn("a", false, kStart));
  EXPECT_FALSE(holders_.Learn("a", false, kStart));
  EXPECT_EQ(Take(kStart), "a");
  EXPECT_EQ(Take(kStart), "") << "it is in use";
}

TEST_F(HolderListTest, NearHoldersComeFirst) {
  for (int i = 0; i < 20; ++i) holders_.Learn(absl::StrCat("far", i), false, kStart);
  holders_.Learn("near", true, kStart);
  EXPECT_EQ(Take(kStart), "near");
}

TEST_F(HolderListTest, WhoFailsWaitsLongerEachTime) {
  holders_.Learn("a", false, kStart);
  Instant now = kStart;
  absl::Duration last;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(Take(now), "a");
    holders_.Failed("a", now);
    EXPECT_EQ(Take(now), "");
    const absl::Duration wait = holders_.NextTry() - now;
    EXPECT_GT(wait, last);
    last = wait;
    now = holders_.NextTry();
  }
  EXPECT_FALSE(holders_.hopeful());
  EXPECT_EQ(holders_.Useless(), std::vector<std::string>{"a"});
  holders_.Worked("a");
  EXPECT_TRUE(holders_.hopeful());
}

TEST_F(HolderListTest, WhoIsBannedStaysBanned) {
  holders_.Learn("a", false, kStart);
  Take(kStart);
  holders_.Ban("a");
  EXPECT_FALSE(holders_.Learn("a", false, kStart));
  holders_.Failed("a", kStart);
  EXPECT_TRUE(holders_.all_banned()) << "nobody gets out by saying that he is gone";
  EXPECT_EQ(Take(kStart + absl::Hours(1)), "");
  EXPECT_EQ(holders_.NextTry(), absl::InfiniteDuration());
}

TEST_F(HolderListTest, IsBounded) {
  for (size_t i = 0; i < 10 * HolderList::kMax; ++i) {
    holders_.Learn(absl::StrCat("n", i), false, kStart);
  }
  size_t taken = 0;
  while (!Take(kStart).empty()) ++taken;
  EXPECT_EQ(taken, HolderList::kMax);
}

}  // namespace
}  // namespace packice
