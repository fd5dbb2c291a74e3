// A node's side of announcing, against the tracker's: both as they are, without sockets, in a time
// that the test makes pass.
#include "announcer.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"
#include "tracker_table.h"

namespace packice {
namespace {

class AnnouncerTest : public testing::Test {
 protected:
  static constexpr absl::Duration kInterval = absl::Seconds(15);
  static constexpr absl::Duration kBatchDelay = absl::Milliseconds(20);

  explicit AnnouncerTest(int trackers = 1) {
    for (int i = 0; i < trackers; ++i) {
      options_.trackers.push_back(absl::StrCat("tracker", i, ":7700"));
      tables_.push_back(NewTable());
    }
    options_.address = "x:1";
    options_.epoch = 1;
    options_.batch_delay = kBatchDelay;
    options_.random = &random_;
    announcer_ = std::make_unique<Announcer>(options_, now_);
  }

  static std::unique_ptr<TrackerTable> NewTable(uint64_t max_holdings = 1'000'000) {
    TrackerTableOptions options;
    options.interval = kInterval;
    options.max_holdings = max_holdings;
    return std::make_unique<TrackerTable>(options);
  }

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  void Hold(absl::string_view id) {
    Holding holding;
    holding.object_id = Id(id);
    holding.digest = ContentDigest(HashKind::kXxh3, std::string(16, 'd'));
    announcer_->Hold(holding, now_);
  }

  // Lets time pass and every message that is due arrive, or get lost where the tracker is down.
  void Run(absl::Duration time) {
    const Instant end = now_ + time;
    while (true) {
      size_t next = 0;
      for (size_t i = 1; i < tables_.size(); ++i) {
        if (announcer_->Due(i) < announcer_->Due(next)) next = i;
      }
      if (announcer_->Due(next) > end) break;
      now_ = std::max(now_, announcer_->Due(next));
      Deliver(next);
    }
    now_ = end;
  }
  void Deliver(size_t tracker) {
    const auto request = announcer_->Begin(tracker, 0.5, absl::UnixEpoch());
    ++messages_;
    EXPECT_LT(request.ByteSizeLong(), size_t{1} << 20);
    largest_ = std::max(largest_, request.holdings_size() + request.withdrawn_size());
    if (tables_[tracker] == nullptr) return announcer_->Failed(tracker, now_);
    const auto response = tables_[tracker]->Announce(request, now_);
    ASSERT_THAT(response, IsOk());
    if (lose_answers_) return announcer_->Failed(tracker, now_);
    announcer_->Answered(tracker, *response, now_);
  }

  bool Knows(absl::string_view id, size_t tracker = 0) {
    tracker::v1::LocateRequest request;
    request.set_object_id(std::string(id));
    const auto response = tables_[tracker]->Locate(request, now_);
    EXPECT_THAT(response, IsOk());
    return response->holders_size() == 1;
  }

  Instant now_ = absl::Hours(1);
  FakeRandom random_;
  Announcer::Options options_;
  std::vector<std::unique_ptr<TrackerTable>> tables_;  // null: down
  std::unique_ptr<Announcer> announcer_;
  bool lose_answers_ = false;
  int messages_ = 0;
  int largest_ = 0;
};

TEST_F(AnnouncerTest, ChangesWaitForCompany) {
  Run(absl::Seconds(1));
  messages_ = 0;
  for (int i = 0; i < 100; ++i) Hold(absl::StrCat("o", i));
  Run(kBatchDelay - absl::Milliseconds(1));
  EXPECT_EQ(messages_, 0);
  Run(absl::Milliseconds(1));
  EXPECT_EQ(messages_, 1);
  EXPECT_TRUE(Knows("o99"));
}

TEST_F(AnnouncerTest, ANodeWithoutNewsStaysKnownByItsHeartbeat) {
  Hold("a");
  Run(20 * kInterval);
  EXPECT_TRUE(Knows("a"));
  EXPECT_LT(messages_, 40);
  EXPECT_EQ(tables_[0]->counts().expired_nodes, 0u);
}

TEST_F(AnnouncerTest, ATrackerThatStartsAnewKnowsAllWithinOneInterval) {
  for (int i = 0; i < 5000; ++i) Hold(absl::StrCat("o", i));
  Run(3 * kInterval);
  tables_[0] = NewTable();
  Run(kInterval);
  EXPECT_EQ(tables_[0]->counts().holdings, 5000u);
  EXPECT_TRUE(announcer_->Settled(0));
}

TEST_F(AnnouncerTest, ATrackerThatWasDownForLongKnowsAllWithinOneInterval) {
  Run(kInterval);
  tables_[0] = nullptr;
  for (int i = 0; i < 100; ++i) Hold(absl::StrCat("o", i));
  Run(100 * kInterval);
  EXPECT_FALSE(announcer_->Settled(0));
  tables_[0] = NewTable();
  Run(kInterval);
  EXPECT_EQ(tables_[0]->counts().holdings, 100u);
}

TEST_F(AnnouncerTest, ATrackerThatIsDownIsNotAskedAllTheTime) {
  tables_[0] = nullptr;
  Run(absl::Minutes(10));
  EXPECT_LT(messages_, 300);
  EXPECT_GT(messages_, 100) << "nor forgotten";
}

TEST_F(AnnouncerTest, ManyObjectsAreToldInMessagesThatFit) {
  for (int i = 0; i < 10'000; ++i) Hold(absl::StrCat(i, std::string(240, 'o')));
  Run(kInterval);
  EXPECT_EQ(tables_[0]->counts().holdings, 10'000u);
  EXPECT_LE(largest_, static_cast<int>(Announcer::kMaxItems));
  EXPECT_GT(messages_, 10);
}

TEST_F(AnnouncerTest, WhatChangesWhileAllIsToldIsToldAsWell) {
  for (int i = 10'000; i < 20'000; ++i) Hold(absl::StrCat(i));
  Deliver(0);
  Deliver(0);
  ASSERT_FALSE(announcer_->Settled(0));
  announcer_->LetGo(Id("10000"), now_);  // told already
  announcer_->LetGo(Id("19999"), now_);  // not yet
  Hold("0 before");
  Hold("~ behind");
  Run(kInterval);
  EXPECT_EQ(tables_[0]->counts().holdings, 10'000u);
  EXPECT_FALSE(Knows("10000"));
  EXPECT_FALSE(Knows("19999"));
  EXPECT_TRUE(Knows("0 before"));
  EXPECT_TRUE(Knows("~ behind"));
}

TEST_F(AnnouncerTest, LostAnswersLoseNothing) {
  lose_answers_ = true;
  for (int i = 0; i < 5000; ++i) Hold(absl::StrCat("o", i));
  Run(absl::Seconds(10));
  announcer_->LetGo(Id("o1"), now_);
  Run(absl::Seconds(10));
  lose_answers_ = false;
  Run(kInterval);
  while (tables_[0]->Sweep(now_, 1000)) {
  }
  EXPECT_EQ(tables_[0]->counts().holdings, 4999u);
  EXPECT_FALSE(Knows("o1"));
}

// The tracker has heard of it, and nobody knows that it has.
TEST_F(AnnouncerTest, WhatGoesAfterALostAnswerInTheMiddleOfARunIsForgotten) {
  for (int i = 10'000; i < 15'000; ++i) Hold(absl::StrCat(i));
  Deliver(0);  // the first part of all
  lose_answers_ = true;
  Deliver(0);  // the second
  lose_answers_ = false;
  for (int i = 10'000; i < 15'000; ++i) {
    if (Knows(absl::StrCat(i))) announcer_->LetGo(Id(absl::StrCat(i)), now_);
  }
  Run(kInterval);
  while (tables_[0]->Sweep(now_, 1000)) {
  }
  for (int i = 10'000; i < 15'000; ++i) {
    const std::string id = absl::StrCat(i);
    EXPECT_EQ(Knows(id), announcer_->Holds(Id(id))) << id;
  }
}

TEST_F(AnnouncerTest, WhatATrackerHadNoRoomForIsToldAgainLater) {
  tables_[0] = NewTable(1);
  Hold("a");
  Hold("b");
  Run(kInterval);
  EXPECT_FALSE(Knows("b"));
  announcer_->LetGo(Id("a"), now_);
  Run(10 * kInterval);
  EXPECT_TRUE(Knows("b"));
}

TEST_F(AnnouncerTest, ALifeThatIsOverIsNotToldAsForEver) {
  Holding holding;
  holding.object_id = Id("a");
  holding.digest = ContentDigest(HashKind::kXxh3, std::string(16, 'd'));
  holding.expires_at = absl::UnixEpoch() - absl::Seconds(1);
  announcer_->Hold(holding, now_);
  holding.object_id = Id("b");
  holding.expires_at = absl::UnixEpoch() + absl::Seconds(10);
  announcer_->Hold(holding, now_);
  Run(absl::Seconds(5));
  EXPECT_FALSE(Knows("a"));
  EXPECT_TRUE(Knows("b"));
  now_ += absl::Seconds(6);
  EXPECT_FALSE(Knows("b"));
}

class ThreeTrackersTest : public AnnouncerTest {
 protected:
  ThreeTrackersTest() : AnnouncerTest(3) {}
};

TEST_F(ThreeTrackersTest, EachObjectIsKnownToTwoOfThem) {
  constexpr int kObjects = 3000;
  for (int i = 0; i < kObjects; ++i) Hold(absl::StrCat("o", i));
  Run(kInterval);
  for (const auto& table : tables_) {
    EXPECT_NEAR(static_cast<double>(table->counts().holdings), kObjects * 2 / 3, kObjects / 10);
  }
  for (int i = 0; i < kObjects; ++i) {
    const std::string id = absl::StrCat("o", i);
    EXPECT_EQ(Knows(id, 0) + Knows(id, 1) + Knows(id, 2), 2) << id;
  }
}

TEST_F(ThreeTrackersTest, OneThatIsDownDoesNotHoldUpTheOthers) {
  tables_[1] = nullptr;
  for (int i = 0; i < 100; ++i) Hold(absl::StrCat("o", i));
  Run(kBatchDelay);
  EXPECT_TRUE(announcer_->Settled(0));
  EXPECT_FALSE(announcer_->Settled(1));
  EXPECT_TRUE(announcer_->Settled(2));
}

TEST(RendezvousTest, DoesNotDependOnTheOrderAndMovesLittle) {
  const Rendezvous three({"a:1", "b:1", "c:1"});
  const Rendezvous other_order({"c:1", "a:1", "b:1"});
  const Rendezvous four({"a:1", "b:1", "c:1", "d:1"});
  const std::vector<std::string> names = {"a:1", "b:1", "c:1", "d:1"};
  const std::vector<std::string> other_names = {"c:1", "a:1", "b:1"};
  int moved = 0;
  for (int i = 0; i < 1000; ++i) {
    const ObjectId id = *ObjectId::Parse(absl::StrCat("object ", i));
    const Rendezvous::Chosen chosen = three.Of(id);
    const Rendezvous::Chosen same = other_order.Of(id);
    ASSERT_EQ(chosen.size(), 2u);
    ASSERT_NE(chosen[0], chosen[1]);
    EXPECT_EQ(names[chosen[0]], other_names[same[0]]);
    EXPECT_EQ(names[chosen[1]], other_names[same[1]]);
    const Rendezvous::Chosen more = four.Of(id);
    const std::set<size_t> now = {more[0], more[1]};
    if (now != std::set<size_t>{chosen[0], chosen[1]}) {
      EXPECT_TRUE(now.count(3)) << "only what the new one takes moves";
      ++moved;
    }
  }
  EXPECT_NEAR(moved, 500, 100);
}

}  // namespace
}  // namespace packice
