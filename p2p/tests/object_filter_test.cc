// Filters say yes to all that was added and to little else, and travel whole or by their changes.
#include "object_filter.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "member_filters.h"
#include "own_holdings.h"
#include "packice/p2p/content_hasher.h"

namespace packice {
namespace {

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

Holding Whole(absl::string_view id) {
  Holding holding;
  holding.object_id = Id(id);
  holding.digest = HashOf(HashKind::kXxh3, "content");
  holding.size = 10;
  holding.pieces = holding.pieces_held = 1;
  return holding;
}

double MeasuredRate(const ObjectFilter& filter) {
  constexpr int kTries = 20000;
  int yes = 0;
  for (int i = 0; i < kTries; ++i) yes += filter.MayContain(Id(absl::StrCat("other ", i)));
  return static_cast<double>(yes) / kTries;
}

TEST(ObjectFilterTest, SaysYesToAllThatWasAdded) {
  ObjectFilter filter(5000);
  for (int i = 0; i < 5000; ++i) filter.Add(ObjectHash::Of(Id(absl::StrCat(i))));
  for (int i = 0; i < 5000; ++i) EXPECT_TRUE(filter.MayContain(Id(absl::StrCat(i))));
}

TEST(ObjectFilterTest, SaysYesToOthersAsSeldomAsTheoryHasIt) {
  for (int objects : {100, 3000, 26000}) {
    ObjectFilter filter(objects);
    for (int i = 0; i < objects; ++i) filter.Add(ObjectHash::Of(Id(absl::StrCat(i))));
    const double bits = 8.0 * filter.bits().size();
    const double theory = std::pow(1 - std::exp(-1.0 * ObjectFilter::kProbes * objects / bits),
                                   ObjectFilter::kProbes);
    EXPECT_LT(theory, 0.01) << "ten bits an object";
    EXPECT_LT(MeasuredRate(filter), 1.5 * theory + 0.002) << objects << " objects";
    EXPECT_NEAR(filter.FalsePositiveRate(), theory, 0.2 * theory + 0.001);
  }
}

TEST(ObjectFilterTest, BeyondItsLargestSizeItSaysYesMoreOftenAndTellsSo) {
  ObjectFilter filter(1'000'000);
  EXPECT_EQ(filter.bits().size(), ObjectFilter::kMaxBytes);
  for (int i = 0; i < 400'000; ++i) filter.Add(ObjectHash::Of(Id(absl::StrCat(i))));
  EXPECT_GT(filter.FalsePositiveRate(), 0.05);
  EXPECT_NEAR(MeasuredRate(filter), filter.FalsePositiveRate(), 0.01);
}

TEST(ObjectFilterTest, OnlyBitsOfAFiltersSizeAreOne) {
  EXPECT_TRUE(ObjectFilter::Decode(ObjectFilter(1000).bits()));
  EXPECT_FALSE(ObjectFilter::Decode(""));
  EXPECT_FALSE(ObjectFilter::Decode(std::string(1000, '\0')));
  EXPECT_FALSE(ObjectFilter::Decode(std::string(2 * ObjectFilter::kMaxBytes, '\0')));
}

// A member whose filter another pulls.
class PullTest : public testing::Test {
 protected:
  void Pull() {
    MemberMetadata metadata;
    metadata.transfer_address = "10.0.0.1:7701";
    metadata.filter_version = own_.version();
    others_.Put(StatementRef::Make("owner", 1, metadata));
    const auto pull = others_.NextPull(absl::ZeroDuration());
    ASSERT_TRUE(pull);
    last_ = gossip::v1::Filter();
    own_.FillFilter(pull->have, last_);
    std::vector<ObjectId> gained;
    ASSERT_TRUE(others_.OnFilter("owner", last_, {}, gained));
  }
  bool Likely(absl::string_view id) { return !others_.WhoMayHold(Id(id), random_).likely.empty(); }

  OwnHoldings own_{1000};
  MemberFilters others_;
  SplitMix random_{1};
  gossip::v1::Filter last_;
};

TEST_F(PullTest, TheFirstIsWholeTheNextIsWhatWasAdded) {
  own_.Put(Whole("a"));
  Pull();
  EXPECT_FALSE(last_.bits().empty());
  own_.Put(Whole("b"));
  Pull();
  EXPECT_TRUE(last_.bits().empty());
  EXPECT_EQ(last_.added_size(), 2);
  EXPECT_TRUE(Likely("a"));
  EXPECT_TRUE(Likely("b"));
  EXPECT_FALSE(Likely("c"));
}

TEST_F(PullTest, WhatIsUpToDateIsNotPulled) {
  own_.Put(Whole("a"));
  Pull();
  EXPECT_FALSE(others_.NextPull(absl::ZeroDuration()));
}

TEST_F(PullTest, WhatWasWithdrawnGoesWhenTheFilterIsBuiltAnew) {
  for (int i = 0; i < 100; ++i) own_.Put(Whole(absl::StrCat(i)));
  Pull();
  own_.Remove(Id("7"));
  own_.Tidy(absl::Seconds(1));
  EXPECT_TRUE(own_.filter().MayContain(Id("7"))) << "one of a hundred is not worth it yet";
  own_.Tidy(absl::Seconds(100));
  Pull();
  EXPECT_FALSE(last_.bits().empty());
  EXPECT_FALSE(Likely("7"));
  EXPECT_TRUE(Likely("8"));
}

TEST_F(PullTest, AFilterGrowsWithWhatIsHeld) {
  for (int i = 0; i < 10000; ++i) own_.Put(Whole(absl::StrCat(i)));
  EXPECT_LT(own_.filter().FalsePositiveRate(), 0.01);
  Pull();
  for (int i = 0; i < 10000; i += 100) EXPECT_TRUE(Likely(absl::StrCat(i)));
}

TEST_F(PullTest, AFilterThatIsNoneIsRefused) {
  own_.Put(Whole("a"));
  Pull();
  gossip::v1::Filter filter;
  filter.set_version(own_.version() + 1);
  filter.set_bits("nonsense");
  std::vector<ObjectId> gained;
  EXPECT_FALSE(others_.OnFilter("owner", filter, {}, gained));
  EXPECT_TRUE(Likely("a"));
}

TEST_F(PullTest, WhoWatchesAnIdHearsWhenAFilterGainsIt) {
  own_.Put(Whole("a"));
  Pull();
  own_.Put(Whole("b"));
  gossip::v1::Filter filter;
  own_.FillFilter(0, filter);
  std::vector<ObjectId> gained;
  EXPECT_TRUE(others_.OnFilter("owner", filter, {Id("a"), Id("b"), Id("c")}, gained));
  EXPECT_EQ(gained, std::vector<ObjectId>{Id("b")});
}

TEST_F(PullTest, AHintGoesBeforeAnyFilter) {
  Pull();
  EXPECT_FALSE(Likely("a"));
  EXPECT_TRUE(others_.AddHint(Id("a"), "owner", true, 2));
  EXPECT_TRUE(Likely("a"));
  EXPECT_FALSE(others_.AddHint(Id("a"), "owner", false, 1)) << "an old one that came late";
  EXPECT_TRUE(Likely("a"));
  EXPECT_TRUE(others_.AddHint(Id("a"), "owner", false, 3));
  EXPECT_FALSE(Likely("a"));
}

}  // namespace
}  // namespace packice
