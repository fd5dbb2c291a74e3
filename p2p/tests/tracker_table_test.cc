// What a tracker knows: how nodes, holdings and contents come and go.

#include <string>
#include <vector>

#include "tracker_table_fixture.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// --- Soft state.

TEST_F(TrackerTableTest, ASilentNodeIsGoneAfterThreeIntervals) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  now_ += 2 * kInterval;
  y_.Say(now_);
  EXPECT_THAT(Holders("a"), UnorderedElementsAre("x:1", "y:1"));
  now_ += kInterval;
  EXPECT_THAT(Holders("a"), ElementsAre("y:1"));
  SweepAll();
  EXPECT_EQ(table_.counts().nodes, 1u);
  EXPECT_EQ(table_.counts().holdings, 1u);
  EXPECT_EQ(table_.counts().expired_nodes, 1u);
}

TEST_F(TrackerTableTest, WhatASilentNodeHeldStopsToCountAtOnceAndIsSweptBitByBit) {
  for (int i = 0; i < 1000; ++i) x_.Holds(absl::StrCat("o", i));
  x_.Say(now_);
  now_ += 3 * kInterval;
  EXPECT_THAT(Holders("o999"), IsEmpty());
  EXPECT_THAT(Holders("o0"), IsEmpty());
  EXPECT_GT(table_.counts().holdings, 900u) << "no call sweeps all";
  SweepAll();
  EXPECT_EQ(table_.counts().holdings, 0u);
  EXPECT_EQ(table_.counts().objects, 0u);
}

TEST_F(TrackerTableTest, ANodeThatComesBackWhileItIsSweptKeepsWhatItSaysAnew) {
  for (int i = 0; i < 1000; ++i) x_.Holds(absl::StrCat("o", i));
  x_.Say(now_);
  now_ += 3 * kInterval;
  table_.Sweep(now_, 10);
  Member again(table_, "x:1", "east", 2);
  for (int i = 0; i < 500; ++i) again.Holds(absl::StrCat("o", 2 * i));
  again.Begin().End().Say(now_);
  SweepAll();
  EXPECT_EQ(table_.counts().holdings, 500u);
  EXPECT_THAT(Holders("o998"), ElementsAre("x:1"));
  EXPECT_THAT(Holders("o999"), IsEmpty());
}

TEST_F(TrackerTableTest, ALeavingNodeIsGoneAtOnce) {
  x_.Holds("a").Say(now_);
  x_.Leave(now_);
  EXPECT_THAT(Holders("a"), IsEmpty());
  EXPECT_TRUE(Locate(Request("a")).digest().empty());
  EXPECT_EQ(table_.counts().nodes, 0u);
}

TEST_F(TrackerTableTest, AnObjectEndsWithItsOwnLife) {
  x_.Holds("a").For(absl::Seconds(10)).Holds("b").Say(now_);
  now_ += absl::Seconds(9);
  EXPECT_THAT(Holders("a"), ElementsAre("x:1"));
  now_ += absl::Milliseconds(1100);
  EXPECT_THAT(Holders("a"), IsEmpty());
  EXPECT_THAT(Holders("b"), ElementsAre("x:1"));
  EXPECT_EQ(table_.counts().holdings, 1u);
}

TEST_F(TrackerTableTest, ALongerLifeReplacesAShorterOne) {
  x_.Holds("a").For(absl::Seconds(5)).Say(now_);
  x_.Holds("a").For(absl::Seconds(20)).Say(now_);
  x_.Holds("b").For(absl::Seconds(5)).Say(now_);
  x_.Holds("b").Say(now_);
  now_ += absl::Seconds(10);
  EXPECT_THAT(Holders("a"), ElementsAre("x:1"));
  now_ += absl::Seconds(11);
  EXPECT_THAT(Holders("a"), IsEmpty());
  EXPECT_THAT(Holders("b"), ElementsAre("x:1"));
}

// --- Epochs, sequence numbers, full announces.

TEST_F(TrackerTableTest, AYoungerProcessReplacesAnOlderOneAndTheOlderIsIgnored) {
  x_.Holds("a").Holds("b").Say(now_);
  Member younger(table_, "x:1", "east", 2);
  younger.Holds("b").Begin().End().Say(now_);
  EXPECT_THAT(Holders("a"), IsEmpty());
  EXPECT_THAT(Holders("b"), ElementsAre("x:1"));

  EXPECT_TRUE(x_.Holds("a").Say(now_).superseded());
  EXPECT_THAT(Holders("a"), IsEmpty());
  x_.Leave(now_);
  EXPECT_THAT(Holders("b"), ElementsAre("x:1")) << "nor does its leave end the younger one";
}

TEST_F(TrackerTableTest, AnOlderEpochIsTakenOnceTheYoungerOneIsSilent) {
  Member younger(table_, "x:1", "east", 2);
  younger.Holds("a").Say(now_);
  now_ += 3 * kInterval;
  EXPECT_FALSE(x_.Holds("b").Say(now_).superseded());
  EXPECT_THAT(Holders("b"), ElementsAre("x:1"));
  EXPECT_THAT(Holders("a"), IsEmpty());
}

TEST_F(TrackerTableTest, AGapAsksForAllUntilAllIsTold) {
  EXPECT_FALSE(x_.Holds("a").Holds("b").Say(now_).want_full());
  x_.Skip(1);  // "b" was withdrawn there
  EXPECT_TRUE(x_.Holds("c").Say(now_).want_full());
  EXPECT_THAT(Holders("c"), ElementsAre("x:1")) << "what it does say is taken";
  EXPECT_TRUE(x_.Say(now_).want_full());
  EXPECT_FALSE(x_.Begin().End().Holds("a").Holds("c").Say(now_).want_full());
  EXPECT_THAT(Holders("b"), IsEmpty());
  EXPECT_THAT(Holders("a"), ElementsAre("x:1"));
}

TEST_F(TrackerTableTest, ATableStartedAnewAsksForAllAtTheFirstHeartbeat) {
  x_.Skip(56);
  EXPECT_TRUE(x_.Say(now_).want_full());
}

TEST_F(TrackerTableTest, AFullAnnounceReplacesAllThatItDoesNotName) {
  for (const char* id : {"a", "b", "c", "d"}) x_.Holds(id);
  x_.Say(now_);
  x_.Begin().Holds("a").Say(now_);
  EXPECT_THAT(Holders("d"), ElementsAre("x:1")) << "not before it is over";
  x_.Holds("e").Say(now_);
  EXPECT_FALSE(x_.End().Holds("b").Say(now_).want_full());
  for (const char* id : {"a", "b", "e"}) EXPECT_THAT(Holders(id), ElementsAre("x:1")) << id;
  for (const char* id : {"c", "d"}) EXPECT_THAT(Holders(id), IsEmpty()) << id;
  SweepAll();
  EXPECT_EQ(table_.counts().holdings, 3u);
}

TEST_F(TrackerTableTest, AFullAnnounceWithAGapIsBegunAgain) {
  x_.Holds("a").Holds("b").Say(now_);
  x_.Begin().Holds("a").Say(now_);
  x_.Skip(1);
  EXPECT_TRUE(x_.End().Say(now_).want_full());
  EXPECT_THAT(Holders("b"), ElementsAre("x:1")) << "it may have been named in what was lost";
}

TEST_F(TrackerTableTest, AFullAnnounceThatBeganElsewhereIsBegunAgain) {
  x_.Skip(3);
  EXPECT_TRUE(x_.End().Holds("a").Say(now_).want_full());
}

TEST_F(TrackerTableTest, AMessageThatIsToldAgainDoesNoHarm) {
  x_.Holds("a").Holds("b").Say(now_);
  x_.Begin().Holds("a").Say(now_);
  EXPECT_FALSE(x_.SayAgain(now_).want_full());
  x_.End().Holds("c").Say(now_);
  EXPECT_FALSE(x_.SayAgain(now_).want_full());
  EXPECT_THAT(Holders("a"), ElementsAre("x:1"));
  EXPECT_THAT(Holders("b"), IsEmpty());
  EXPECT_THAT(Holders("c"), ElementsAre("x:1"));
}

TEST_F(TrackerTableTest, AMessageThatComesLateCountsNoMore) {
  Member delayed(table_, "x:1");
  delayed.Holds("a");
  x_.Say(now_);
  x_.LetsGo("a").Say(now_);
  delayed.Say(now_);
  EXPECT_THAT(Holders("a"), IsEmpty());
}

TEST_F(TrackerTableTest, WhatBreaksTheProtocolIsRefusedWhole) {
  AnnounceRequest request;
  request.mutable_node()->set_address("x:1");
  request.set_sequence(1);
  tracker::v1::Holding& holding = *request.add_holdings();
  holding.set_object_id("a");
  holding.set_digest(Digest('c'));
  const AnnounceRequest good = request;
  EXPECT_THAT(table_.Announce(good, now_), IsOk());

  const auto refuses = [&](auto spoil) {
    AnnounceRequest bad = good;
    spoil(bad);
    EXPECT_THAT(table_.Announce(bad, now_), HasKind(ErrorKind::kInvalidArgument));
  };
  refuses([](auto& bad) { bad.set_sequence(0); });
  refuses([](auto& bad) { bad.mutable_node()->set_address(""); });
  refuses([](auto& bad) { bad.mutable_node()->set_address("x y"); });
  refuses([](auto& bad) { bad.mutable_node()->set_zone(std::string(65, 'z')); });
  refuses([](auto& bad) { bad.mutable_node()->set_load(1.5); });
  refuses([](auto& bad) { bad.mutable_node()->set_load(std::stof("nan")); });
  refuses([](auto& bad) { bad.mutable_holdings(0)->set_object_id(""); });
  refuses([](auto& bad) { bad.mutable_holdings(0)->set_object_id(std::string(256, 'o')); });
  refuses([](auto& bad) { bad.mutable_holdings(0)->set_digest(""); });
  refuses([](auto& bad) { bad.mutable_holdings(0)->set_digest("\x01short"); });
  refuses([](auto& bad) { bad.mutable_holdings(0)->set_pieces_held(1); });
  refuses([](auto& bad) { bad.add_withdrawn(""); });
  EXPECT_EQ(table_.counts().holdings, 1u);
}

// --- Contents.

TEST_F(TrackerTableTest, TheContentThatWasSealedLastCounts) {
  x_.Holds("a", 'n', 4, 200).Say(now_);
  y_.Holds("a", 'o', 4, 100).Say(now_);
  EXPECT_EQ(Locate(Request("a")).digest(), Digest('n'));
  EXPECT_THAT(Holders("a"), ElementsAre("x:1"));
  x_.LetsGo("a").Say(now_);
  EXPECT_EQ(Locate(Request("a")).digest(), Digest('o'));
}

TEST_F(TrackerTableTest, ALateCopyOfTheOldContentMakesItNoYounger) {
  x_.Holds("a", 'o', 4, 100).Say(now_);
  y_.Holds("a", 'n', 4, 200).Say(now_);
  z_.Holds("a", 'o', 4, 300).Say(now_);
  EXPECT_EQ(Locate(Request("a")).digest(), Digest('n'));
}

TEST_F(TrackerTableTest, TheFirstPiecesOfANewContentDoNotBringBackTheOldOne) {
  x_.Holds("a", 'o', 4, 100).Say(now_);
  y_.Holds("a", 'n', 4, 200).Say(now_);
  z_.Holds("a", 'n', 1, 0).Say(now_);
  y_.Leave(now_);
  EXPECT_EQ(Locate(Request("a")).digest(), Digest('n'));
}

TEST_F(TrackerTableTest, ANodeHoldsOneContentUnderAnId) {
  x_.Holds("a", 'o', 4, 100).Say(now_);
  x_.Holds("a", 'n', 4, 50).Say(now_);
  EXPECT_EQ(Locate(Request("a")).digest(), Digest('n'));
  EXPECT_EQ(table_.counts().holdings, 1u);
}

// --- Limits.

class SmallTrackerTableTest : public testing::Test {
 protected:
  static TrackerTableOptions Options() {
    TrackerTableOptions options;
    options.max_holdings = 5;
    options.max_holdings_of_node = 3;
    return options;
  }
  const Instant now_ = absl::Hours(1);
  TrackerTable table_{Options()};
};

TEST_F(SmallTrackerTableTest, WhatGoesBeyondANodesShareIsRefusedAndTold) {
  Member x(table_, "x:1");
  for (const char* id : {"a", "b", "c", "d", "e"}) x.Holds(id);
  EXPECT_EQ(x.Say(now_).refused(), 2u);
  EXPECT_EQ(table_.counts().holdings, 3u);
  EXPECT_EQ(x.Holds("a").Say(now_).refused(), 0u) << "what it holds already it may tell again";
  EXPECT_EQ(x.LetsGo("a").Holds("d").Say(now_).refused(), 0u);
}

TEST_F(SmallTrackerTableTest, ANodeThatIsFullMayChangeWhatItHolds) {
  Member x(table_, "x:1");
  x.Holds("a").Holds("b").Holds("c").Say(now_);
  EXPECT_EQ(x.Holds("a", 'd').Say(now_).refused(), 0u);
  tracker::v1::LocateRequest request;
  request.set_object_id("a");
  const auto response = table_.Locate(request, now_);
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->digest(), Digest('d'));
}

TEST_F(SmallTrackerTableTest, WhatGoesBeyondAllIsRefusedAndTold) {
  Member(table_, "x:1").Holds("a").Holds("b").Holds("c").Say(now_);
  Member y(table_, "y:1");
  EXPECT_EQ(y.Holds("a").Holds("b").Holds("c").Say(now_).refused(), 1u);
  EXPECT_EQ(table_.counts().holdings, 5u);
}

// --- Lists and changes.

TEST_F(TrackerTableTest, ListsInSlicesWhatIsHeldWhole) {
  for (int i = 0; i < 10; ++i) x_.Holds(absl::StrCat("m/", i), 'c', i % 2 ? 4 : 3);
  x_.Holds("l").Holds("n").Say(now_);
  y_.Holds("m/1", 'd').Say(now_);

  std::vector<std::string> ids;
  std::string after;
  int slices = 0;
  for (bool more = true; more; ++slices) {
    const TrackerTable::Page page = table_.List("m/", after, 2, 3, now_);
    EXPECT_LE(page.object_ids.size(), 2u);
    ids.insert(ids.end(), page.object_ids.begin(), page.object_ids.end());
    after = page.last;
    more = page.more;
  }
  EXPECT_THAT(ids, ElementsAre("m/1", "m/3", "m/5", "m/7", "m/9"));
  EXPECT_GT(slices, 3);
}

TEST_F(TrackerTableTest, ChangesTellWhenTheFirstComesAndTheLastGoes) {
  table_.KeepChanges(true);
  const auto told = [&] {
    std::vector<std::string> changes;
    for (const auto& change : table_.TakeChanges()) {
      changes.push_back(absl::StrCat(change.held ? "+" : "-", change.object_id));
    }
    return changes;
  };
  x_.Holds("a").Holds("part", 'c', 2).Say(now_);
  EXPECT_THAT(told(), ElementsAre("+a"));
  y_.Holds("a").Say(now_);
  x_.LetsGo("a").Say(now_);
  EXPECT_THAT(told(), IsEmpty());
  x_.Holds("a", 'd').Say(now_);
  y_.LetsGo("a").Say(now_);
  EXPECT_THAT(told(), IsEmpty()) << "another content is held";
  x_.Holds("part").Say(now_);
  EXPECT_THAT(told(), ElementsAre("+part"));
  x_.Begin().End().Holds("a").Say(now_);
  SweepAll();
  EXPECT_THAT(told(), ElementsAre("-part"));
  now_ += 3 * kInterval;
  SweepAll();
  EXPECT_THAT(told(), ElementsAre("-a"));
}

}  // namespace
}  // namespace packice
