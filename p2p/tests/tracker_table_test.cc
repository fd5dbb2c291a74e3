#include "tracker_table.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/directory.h"

namespace packice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using tracker::v1::AnnounceRequest;
using tracker::v1::AnnounceResponse;
using tracker::v1::LocateResponse;
using tracker::v1::ReportRequest;

std::string Digest(char fill) {
  return ContentDigest(HashKind::kXxh3, std::string(16, fill)).Encode();
}

// A node as the table hears of it, that counts its messages itself.
class Member {
 public:
  Member(TrackerTable& table, std::string address, std::string zone = "east", uint64_t epoch = 1)
      : table_(table), address_(std::move(address)), zone_(std::move(zone)), epoch_(epoch) {}

  Member& Holds(absl::string_view id, char content = 'c', uint32_t held = 4, int64_t sealed = 100) {
    tracker::v1::Holding& holding = *next_.add_holdings();
    holding.set_object_id(std::string(id));
    holding.set_digest(Digest(content));
    holding.set_size(4000);
    holding.set_pieces(4);
    holding.set_pieces_held(held);
    holding.set_sealed_at_ms(sealed);
    return *this;
  }
  Member& For(absl::Duration ttl) {
    next_.mutable_holdings()->rbegin()->set_ttl_ms(
        static_cast<uint64_t>(absl::ToInt64Milliseconds(ttl)));
    return *this;
  }
  Member& LetsGo(absl::string_view id) {
    next_.add_withdrawn(std::string(id));
    return *this;
  }
  Member& Load(float load) {
    load_ = load;
    return *this;
  }
  Member& Begin() {
    next_.set_full_begin(true);
    return *this;
  }
  Member& End() {
    next_.set_full_end(true);
    return *this;
  }
  Member& Skip(uint64_t messages) {
    sequence_ += messages;
    return *this;
  }
  AnnounceResponse Say(Instant now) {
    last_ = std::exchange(next_, {});
    last_.mutable_node()->set_address(address_);
    last_.mutable_node()->set_zone(zone_);
    last_.mutable_node()->set_load(load_);
    last_.mutable_node()->set_epoch(epoch_);
    last_.set_sequence(++sequence_);
    return SayAgain(now);
  }
  AnnounceResponse SayAgain(Instant now) {
    auto response = table_.Announce(last_, now);
    EXPECT_THAT(response, IsOk());
    return response.value_or(AnnounceResponse());
  }
  void Leave(Instant now) {
    tracker::v1::WithdrawRequest request;
    request.set_address(address_);
    request.set_epoch(epoch_);
    request.set_node(true);
    EXPECT_THAT(table_.Withdraw(request, now), IsOk());
  }
  void Reports(absl::string_view id, const std::string& holder, ReportRequest::Fault fault,
               Instant now) {
    ReportRequest request;
    request.set_object_id(std::string(id));
    request.set_holder(holder);
    request.set_fault(fault);
    request.set_address(address_);
    EXPECT_THAT(table_.Report(request, now), IsOk());
  }
  const std::string& address() const { return address_; }

 private:
  TrackerTable& table_;
  const std::string address_;
  const std::string zone_;
  const uint64_t epoch_;
  uint64_t sequence_ = 0;
  float load_ = 0;
  AnnounceRequest next_;
  AnnounceRequest last_;
};

class TrackerTableTest : public testing::Test {
 protected:
  static constexpr absl::Duration kInterval = absl::Seconds(15);

  static TrackerTableOptions Options() {
    TrackerTableOptions options;
    options.interval = kInterval;
    return options;
  }
  tracker::v1::LocateRequest Request(absl::string_view id) const {
    tracker::v1::LocateRequest request;
    request.set_object_id(std::string(id));
    request.set_zone("east");
    request.set_address("asker:1");
    return request;
  }
  LocateResponse Locate(const tracker::v1::LocateRequest& request) {
    auto response = table_.Locate(request, now_);
    EXPECT_THAT(response, IsOk());
    return response.value_or(LocateResponse());
  }
  std::vector<std::string> Holders(const tracker::v1::LocateRequest& request) {
    std::vector<std::string> addresses;
    const LocateResponse response = Locate(request);
    for (const auto& holder : response.holders()) addresses.push_back(holder.address());
    return addresses;
  }
  std::vector<std::string> Holders(absl::string_view id) { return Holders(Request(id)); }
  bool LetToOrigin(const std::string& address, absl::string_view id = "a") {
    tracker::v1::LocateRequest request = Request(id);
    request.set_address(address);
    request.set_has_origin(true);
    const LocateResponse response = Locate(request);
    EXPECT_NE(response.has_origin_grant_ms(), response.has_retry_after_ms());
    return response.has_origin_grant_ms();
  }
  void SweepAll() {
    while (table_.Sweep(now_, 1000)) {
    }
  }

  Instant now_ = absl::Hours(1);
  TrackerTable table_{Options()};
  Member x_{table_, "x:1"};
  Member y_{table_, "y:1"};
  Member z_{table_, "z:1", "west"};
};

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

// --- Which holders.

TEST_F(TrackerTableTest, TheSameZoneComesFirstThenTheLightestLoad) {
  x_.Holds("a").Load(0.9f).Say(now_);
  y_.Holds("a").Load(0.1f).Say(now_);
  z_.Holds("a").Say(now_);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1", "z:1"));
}

TEST_F(TrackerTableTest, NearEqualsAreMixedByChance) {
  x_.Holds("a").Load(0.10f).Say(now_);
  y_.Holds("a").Load(0.15f).Say(now_);
  int first = 0;
  for (int i = 0; i < 1000; ++i) first += Holders("a").at(0) == "x:1";
  EXPECT_GT(first, 550) << "the lighter one is first more often";
  EXPECT_LT(first, 900) << "but not always";
}

TEST_F(TrackerTableTest, EqualCallsOfEqualTablesHaveEqualAnswers) {
  TrackerTable other(Options());
  for (int i = 0; i < 20; ++i) {
    Member(table_, absl::StrCat("n", i, ":1")).Holds("a").Say(now_);
    Member(other, absl::StrCat("n", i, ":1")).Holds("a").Say(now_);
  }
  for (int i = 0; i < 10; ++i) {
    const auto there = other.Locate(Request("a"), now_);
    ASSERT_THAT(there, IsOk());
    EXPECT_EQ(Locate(Request("a")).SerializeAsString(), there->SerializeAsString());
  }
}

TEST_F(TrackerTableTest, OfManyHoldersOfPartsACompleteOneIsAlwaysTold) {
  for (int i = 0; i < 2000; ++i) {
    Member(table_, absl::StrCat("part", i, ":1")).Holds("a", 'c', 3).Say(now_);
  }
  z_.Holds("a").Load(1).Say(now_);
  for (int i = 0; i < 50; ++i) {
    tracker::v1::LocateRequest request = Request("a");
    request.set_max(2);
    EXPECT_THAT(Holders(request), testing::AllOf(SizeIs(2), Contains("z:1")));
  }
}

TEST_F(TrackerTableTest, ThousandsOfHoldersAreAllToldOfOverTime) {
  constexpr int kHolders = 2000;
  for (int i = 0; i < kHolders; ++i) {
    Member(table_, absl::StrCat("n", i, ":1")).Holds("a").Say(now_);
  }
  absl::flat_hash_map<std::string, int> told;
  for (int i = 0; i < 2000; ++i) {
    for (const std::string& holder : Holders("a")) ++told[holder];
  }
  EXPECT_GT(told.size(), kHolders * 99 / 100);
}

TEST_F(TrackerTableTest, WhoAsksAndWhoIsExcludedIsNotTold) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  z_.Holds("a").Say(now_);
  tracker::v1::LocateRequest request = Request("a");
  request.set_address("x:1");
  request.add_exclude("z:1");
  request.add_exclude("never heard of:1");
  EXPECT_THAT(Holders(request), ElementsAre("y:1"));
  request.add_exclude("y:1");
  EXPECT_THAT(Holders(request), IsEmpty());
  EXPECT_EQ(Locate(request).digest(), Digest('c'));
}

// --- Reports.

TEST_F(TrackerTableTest, OneLiarPutsAHolderLastAndNoFurther) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  Member liar(table_, "liar:1");
  liar.Say(now_);
  for (int i = 0; i < 100; ++i) {
    for (auto fault :
         {ReportRequest::GONE, ReportRequest::CORRUPT, ReportRequest::SLOW, ReportRequest::BUSY}) {
      liar.Reports("a", "x:1", fault, now_);
    }
  }
  for (int i = 0; i < 20; ++i) EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1"));
}

TEST_F(TrackerTableTest, NamesThatAreMadeUpHaveNoVoice) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Load(0.9f).Say(now_);
  for (int i = 0; i < 10; ++i) {
    Member(table_, absl::StrCat("made-up-", i)).Reports("a", "x:1", ReportRequest::CORRUPT, now_);
  }
  EXPECT_THAT(Holders("a"), ElementsAre("x:1", "y:1"));
}

TEST_F(TrackerTableTest, AHolderThatSeveralCallGoneIsLeftOutForAnInterval) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  for (const char* name : {"r1:1", "r2:1", "r3:1"}) {
    Member reporter(table_, name);
    reporter.Say(now_);
    EXPECT_THAT(Holders("a"), SizeIs(2));
    reporter.Reports("a", "x:1", ReportRequest::GONE, now_);
  }
  EXPECT_THAT(Holders("a"), ElementsAre("y:1"));
  now_ += kInterval;
  EXPECT_THAT(Holders("a"), SizeIs(2));
}

TEST_F(TrackerTableTest, AHolderThatAnnouncesTheObjectAgainIsNotGone) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Load(0.9f).Say(now_);
  z_.Say(now_);
  z_.Reports("a", "x:1", ReportRequest::GONE, now_);
  EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1"));
  x_.Holds("a").Say(now_);
  EXPECT_THAT(Holders("a"), ElementsAre("x:1", "y:1"));
}

TEST_F(TrackerTableTest, WrongBytesAreRememberedLonger) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  for (const char* name : {"r1:1", "r2:1"}) {
    Member reporter(table_, name);
    reporter.Say(now_);
    reporter.Reports("a", "x:1", ReportRequest::CORRUPT, now_);
  }
  x_.Holds("a").Say(now_);
  y_.Say(now_);
  now_ += 2 * kInterval;
  EXPECT_THAT(Holders("a"), ElementsAre("y:1"));
}

TEST_F(TrackerTableTest, NoNumberOfReportsMakesTheLastHolderUnfindable) {
  x_.Holds("a").Say(now_);
  y_.Holds("a", 'c', 2).Say(now_);
  for (int i = 0; i < 20; ++i) {
    Member reporter(table_, absl::StrCat("r", i, ":1"));
    reporter.Say(now_);
    reporter.Reports("a", "x:1", ReportRequest::GONE, now_);
    reporter.Reports("a", "x:1", ReportRequest::CORRUPT, now_);
  }
  EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1"));
}

TEST_F(TrackerTableTest, WhoReportedAHolderIsNotSentToItAgain) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  z_.Say(now_);
  z_.Reports("a", "x:1", ReportRequest::GONE, now_);
  tracker::v1::LocateRequest request = Request("a");
  request.set_address("z:1");
  EXPECT_THAT(Holders(request), ElementsAre("y:1"));
}

// --- The origin.

TEST_F(TrackerTableTest, AFewAreLetToTheOriginAtATime) {
  EXPECT_TRUE(LetToOrigin("p:1"));
  EXPECT_TRUE(LetToOrigin("q:1"));
  EXPECT_FALSE(LetToOrigin("r:1"));
  EXPECT_TRUE(LetToOrigin("p:1")) << "it has the right already";
  EXPECT_TRUE(LetToOrigin("r:1", "b")) << "of another object";
  EXPECT_EQ(table_.counts().origin_grants, 3u);
  now_ += absl::Seconds(60);
  EXPECT_TRUE(LetToOrigin("r:1"));
  EXPECT_TRUE(LetToOrigin("s:1"));
  EXPECT_FALSE(LetToOrigin("p:1"));
}

TEST_F(TrackerTableTest, AnAnnounceOfAllPiecesGivesTheRightBack) {
  EXPECT_TRUE(LetToOrigin("x:1"));
  x_.Holds("a").Say(now_);
  EXPECT_EQ(table_.counts().origin_grants, 0u);
}

TEST_F(TrackerTableTest, WhoGetsPiecesKeepsItsRight) {
  EXPECT_TRUE(LetToOrigin("x:1"));
  for (uint32_t held : {1, 2, 3}) {
    now_ += absl::Seconds(40);
    x_.Holds("a", 'c', held).Say(now_);
    y_.Say(now_);
    EXPECT_EQ(table_.counts().origin_grants, 1u);
  }
  now_ += absl::Seconds(61);
  table_.Sweep(now_, 1);
  EXPECT_EQ(table_.counts().origin_grants, 0u);
}

TEST_F(TrackerTableTest, AnOriginThatFailedMakesRoom) {
  EXPECT_TRUE(LetToOrigin("p:1"));
  EXPECT_TRUE(LetToOrigin("q:1"));
  Member(table_, "p:1").Reports("a", "", ReportRequest::ORIGIN, now_);
  EXPECT_TRUE(LetToOrigin("r:1"));
  EXPECT_FALSE(LetToOrigin("s:1"));
}

TEST_F(TrackerTableTest, NobodyIsLetToTheOriginOfWhatSomebodyHolds) {
  x_.Holds("a").Say(now_);
  tracker::v1::LocateRequest request = Request("a");
  request.set_has_origin(true);
  EXPECT_FALSE(Locate(request).has_origin_grant_ms());
  request.add_exclude("x:1");
  EXPECT_TRUE(Locate(request).has_origin_grant_ms()) << "whom that holder does not serve, may";
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
