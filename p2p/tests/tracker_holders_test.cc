// Whom a tracker tells of: the choice of holders, what reports do to it, and who may read an
// origin.

#include <string>
#include <vector>

#include "tracker_table_fixture.h"

namespace packice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using TrackerHoldersTest = TrackerTableTest;

// --- Which holders.

TEST_F(TrackerHoldersTest, TheSameZoneComesFirstThenTheLightestLoad) {
  x_.Holds("a").Load(0.9f).Say(now_);
  y_.Holds("a").Load(0.1f).Say(now_);
  z_.Holds("a").Say(now_);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1", "z:1"));
}

TEST_F(TrackerHoldersTest, NearEqualsAreMixedByChance) {
  x_.Holds("a").Load(0.10f).Say(now_);
  y_.Holds("a").Load(0.15f).Say(now_);
  int first = 0;
  for (int i = 0; i < 1000; ++i) first += Holders("a").at(0) == "x:1";
  EXPECT_GT(first, 550) << "the lighter one is first more often";
  EXPECT_LT(first, 900) << "but not always";
}

TEST_F(TrackerHoldersTest, EqualCallsOfEqualTablesHaveEqualAnswers) {
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

TEST_F(TrackerHoldersTest, OfManyHoldersOfPartsACompleteOneIsAlwaysTold) {
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

TEST_F(TrackerHoldersTest, ThousandsOfHoldersAreAllToldOfOverTime) {
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

TEST_F(TrackerHoldersTest, WhoAsksAndWhoIsExcludedIsNotTold) {
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

TEST_F(TrackerHoldersTest, OneLiarPutsAHolderLastAndNoFurther) {
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

TEST_F(TrackerHoldersTest, NamesThatAreMadeUpHaveNoVoice) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Load(0.9f).Say(now_);
  for (int i = 0; i < 10; ++i) {
    Member(table_, absl::StrCat("made-up-", i)).Reports("a", "x:1", ReportRequest::CORRUPT, now_);
  }
  EXPECT_THAT(Holders("a"), ElementsAre("x:1", "y:1"));
}

TEST_F(TrackerHoldersTest, AHolderThatSeveralCallGoneIsLeftOutForAnInterval) {
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

TEST_F(TrackerHoldersTest, AHolderThatAnnouncesTheObjectAgainIsNotGone) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Load(0.9f).Say(now_);
  z_.Say(now_);
  z_.Reports("a", "x:1", ReportRequest::GONE, now_);
  EXPECT_THAT(Holders("a"), ElementsAre("y:1", "x:1"));
  x_.Holds("a").Say(now_);
  EXPECT_THAT(Holders("a"), ElementsAre("x:1", "y:1"));
}

TEST_F(TrackerHoldersTest, WrongBytesAreRememberedLonger) {
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

TEST_F(TrackerHoldersTest, NoNumberOfReportsMakesTheLastHolderUnfindable) {
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

TEST_F(TrackerHoldersTest, WhoReportedAHolderIsNotSentToItAgain) {
  x_.Holds("a").Say(now_);
  y_.Holds("a").Say(now_);
  z_.Say(now_);
  z_.Reports("a", "x:1", ReportRequest::GONE, now_);
  tracker::v1::LocateRequest request = Request("a");
  request.set_address("z:1");
  EXPECT_THAT(Holders(request), ElementsAre("y:1"));
}

// --- The origin.

TEST_F(TrackerHoldersTest, AFewAreLetToTheOriginAtATime) {
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

TEST_F(TrackerHoldersTest, AnAnnounceOfAllPiecesGivesTheRightBack) {
  EXPECT_TRUE(LetToOrigin("x:1"));
  x_.Holds("a").Say(now_);
  EXPECT_EQ(table_.counts().origin_grants, 0u);
}

TEST_F(TrackerHoldersTest, WhoGetsPiecesKeepsItsRight) {
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

TEST_F(TrackerHoldersTest, AnOriginThatFailedMakesRoom) {
  EXPECT_TRUE(LetToOrigin("p:1"));
  EXPECT_TRUE(LetToOrigin("q:1"));
  Member(table_, "p:1").Reports("a", "", ReportRequest::ORIGIN, now_);
  EXPECT_TRUE(LetToOrigin("r:1"));
  EXPECT_FALSE(LetToOrigin("s:1"));
}

TEST_F(TrackerHoldersTest, NobodyIsLetToTheOriginOfWhatSomebodyHolds) {
  x_.Holds("a").Say(now_);
  tracker::v1::LocateRequest request = Request("a");
  request.set_has_origin(true);
  EXPECT_FALSE(Locate(request).has_origin_grant_ms());
  request.add_exclude("x:1");
  EXPECT_TRUE(Locate(request).has_origin_grant_ms()) << "whom that holder does not serve, may";
}

}  // namespace
}  // namespace packice
