// The rules of a directory without trackers, with members that a test plays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gossip_directory.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/content_hasher.h"

namespace packice {
namespace {

using gossip::v1::Description;
using gossip::v1::Envelope;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
ContentDigest Content(absl::string_view bytes) { return HashOf(HashKind::kXxh3, bytes); }

Description Whole(absl::string_view content, int64_t sealed_at = 1) {
  Description description;
  description.set_held(true);
  description.set_digest(Content(content).Encode());
  description.set_size(content.size());
  description.set_pieces(1);
  description.set_pieces_held(1);
  description.set_sealed_at_us(sealed_at);
  return description;
}

class GossipDirectoryRulesTest : public testing::Test {
 protected:
  GossipDirectoryRulesTest() {
    GossipDirectoryOptions options;
    options.gossip_address = "self";
    options.address = "self:1";
    options.clock = &clock_;
    directory_ = std::make_unique<GossipDirectory>(
        options,
        GossipDirectory::Fleet{[this](const std::string& address, Envelope question, absl::Duration,
                                      Done<absl::StatusOr<Envelope>> done) {
                                 Ask(address, question, std::move(done));
                               },
                               [this](const std::string& hint) { hints_.push_back(hint); }, [] {}});
  }

  void Ask(const std::string& address, const Envelope& question,
           Done<absl::StatusOr<Envelope>> done) {
    asked_.push_back(address);
    if (hold_answers_) {
      held_.push_back(std::move(done));
      return;
    }
    if (silent_.count(address) > 0) {
      std::move(done)(MakeError(ErrorKind::kUnavailable, "nobody is there"));
      return;
    }
    Envelope answer;
    if (question.has_describe()) {
      answer.mutable_description();
      const auto held = holds_.find(address);
      if (held != holds_.end()) *answer.mutable_description() = held->second;
    }
    std::move(done)(std::move(answer));
  }

  void Join(const std::string& name, const std::string& zone = "") {
    MemberMetadata metadata;
    metadata.transfer_address = name + ":1";
    metadata.zone = zone;
    directory_->OnMember(MemberChange::kJoined, StatementRef::Make(name, 1, metadata));
  }
  void Hint(const std::string& holder, absl::string_view id, bool held = true) {
    gossip::v1::Hint hint;
    hint.set_object_id(std::string(id));
    hint.set_holder(holder);
    hint.set_held(held);
    hint.set_sequence(++sequence_);
    directory_->OnBroadcast(hint.SerializeAsString());
  }
  // Members who hold it, and said so.
  void Holds(const std::string& name, const Description& description) {
    Join(name);
    Hint(name, "a");
    holds_[name] = description;
  }
  absl::StatusOr<Location> Locate(bool has_origin = false, std::vector<std::string> exclude = {}) {
    LocateRequest request;
    request.object_id = Id("a");
    request.has_origin = has_origin;
    request.exclude = std::move(exclude);
    Pending<absl::StatusOr<Location>> pending;
    directory_->Locate(request, pending.Callback());
    return pending.Wait();
  }

  FakeClock clock_;
  std::map<std::string, Description> holds_;
  std::set<std::string> silent_;
  std::vector<std::string> asked_;
  std::vector<std::string> hints_;
  bool hold_answers_ = false;
  std::vector<Done<absl::StatusOr<Envelope>>> held_;
  uint64_t sequence_ = 0;
  std::unique_ptr<GossipDirectory> directory_;
};

TEST_F(GossipDirectoryRulesTest, OneMemberCannotVouchForItsOwnBytesWhereOthersHoldTheObject) {
  Holds("honest", Whole("right", 1));
  Holds("true", Whole("right", 2));
  Holds("liar", Whole("wrong", 1'000'000));
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_EQ(location.digest, Content("right"));
  EXPECT_THAT(location.holders, SizeIs(2));
}

TEST_F(GossipDirectoryRulesTest, TheOwnCopyVotesAsWell) {
  Holding own;
  own.object_id = Id("a");
  own.digest = Content("right");
  own.sealed_at = absl::FromUnixMicros(1);
  directory_->Announce(own);
  Holds("honest", Whole("right", 1));
  Holds("liar", Whole("wrong", 5));
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_EQ(location.digest, Content("right"));
  ASSERT_THAT(location.holders, SizeIs(1));
  EXPECT_EQ(location.holders[0].address, "honest:1");
}

TEST_F(GossipDirectoryRulesTest, OfContentsWithAsManyHoldersTheOneSealedLastCounts) {
  Holds("x", Whole("old", 1));
  Holds("y", Whole("young", 2));
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_EQ(location.digest, Content("young"));
}

TEST_F(GossipDirectoryRulesTest, WhatCannotBeAnObjectHasNoVote) {
  Description more_than_all = Whole("more");
  more_than_all.set_pieces_held(2);
  Description nameless = Whole("nameless");
  nameless.clear_digest();
  Holds("x", more_than_all);
  Holds("y", nameless);
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_TRUE(location.digest.empty());
  EXPECT_THAT(location.holders, IsEmpty());
}

TEST_F(GossipDirectoryRulesTest, FiveAreAskedAtATime) {
  for (int i = 0; i < 8; ++i) Holds(absl::StrCat("m", i), Whole("content"));
  hold_answers_ = true;
  LocateRequest request;
  request.object_id = Id("a");
  Pending<absl::StatusOr<Location>> pending;
  directory_->Locate(request, pending.Callback());
  EXPECT_THAT(asked_, SizeIs(5));
  hold_answers_ = false;
  for (auto& done : held_) std::move(done)(Envelope());
  EXPECT_TRUE(pending.IsDone());
  EXPECT_THAT(asked_, SizeIs(8));
}

TEST_F(GossipDirectoryRulesTest, WhereNobodyIsLikelyAFewAreAskedAllTheSame) {
  for (int i = 0; i < 30; ++i) Join(absl::StrCat("m", i));
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_TRUE(location.digest.empty());
  EXPECT_THAT(asked_, SizeIs(HolderQuery::kMaxOthers));
}

TEST_F(GossipDirectoryRulesTest, WhereTheLikelyOnesHaveItNotOthersAreAskedAndThatIsCounted) {
  Join("other");
  holds_["other"] = Whole("content");
  Join("gone");
  Hint("gone", "a");
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_THAT(asked_, ElementsAre("gone", "other"));
  EXPECT_EQ(location.digest, Content("content"));
  EXPECT_EQ(directory_->figures().hints, 1u);
  EXPECT_EQ(directory_->figures().false_hints, 1u);
}

TEST_F(GossipDirectoryRulesTest, WhereOnlyAnExcludedOneSeemsToHaveItOthersAreAsked) {
  Holds("known", Whole("content"));
  Join("silent about it");
  holds_["silent about it"] = Whole("content");
  ASSERT_OK_AND_ASSIGN(Location location, Locate(false, {"known:1"}));
  ASSERT_THAT(location.holders, SizeIs(1));
  EXPECT_EQ(location.holders[0].address, "silent about it:1");
}

TEST_F(GossipDirectoryRulesTest, WhereNobodyAnswersNobodyCanTell) {
  Holds("x", Whole("content"));
  Join("y");
  silent_ = {"x", "y"};
  EXPECT_THAT(Locate(), HasKind(ErrorKind::kUnavailable));
}

TEST_F(GossipDirectoryRulesTest, WhoIsAloneKnowsThatNobodyElseHoldsIt) {
  ASSERT_OK_AND_ASSIGN(Location location, Locate(true));
  EXPECT_TRUE(location.digest.empty());
  EXPECT_TRUE(location.origin_grant);
}

TEST_F(GossipDirectoryRulesTest, TheDeadAreNotAsked) {
  Holds("x", Whole("content"));
  directory_->OnMember(MemberChange::kDied, StatementRef::Make("x", 1, {}));
  ASSERT_OK_AND_ASSIGN(Location location, Locate());
  EXPECT_TRUE(location.digest.empty());
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(GossipDirectoryRulesTest, HintsAreSpreadOfWhatBecomesWholeAndNotTooMany) {
  Holding part;
  part.object_id = Id("a");
  part.digest = Content("a");
  part.pieces = 2;
  part.pieces_held = 1;
  directory_->Announce(part);
  EXPECT_THAT(hints_, IsEmpty());
  part.pieces_held = 2;
  directory_->Announce(part);
  directory_->Announce(part);
  EXPECT_THAT(hints_, SizeIs(1)) << "told again is no news";
  directory_->Withdraw(Id("a"));
  EXPECT_THAT(hints_, SizeIs(2));
  for (int i = 0; i < 5000; ++i) {
    part.object_id = Id(absl::StrCat(i));
    directory_->Announce(part);
  }
  EXPECT_LE(hints_.size(), 600u);
}

// --- The origin.

TEST(OriginTurnsTest, TheFirstRanksMayAtOnceOthersWaitTheirTurn) {
  OriginTurns turns;
  EXPECT_EQ(turns.Ask(absl::Seconds(1), Id("a"), 0), absl::ZeroDuration());
  EXPECT_EQ(turns.Ask(absl::Seconds(1), Id("b"), 1), absl::ZeroDuration());
  EXPECT_EQ(turns.Ask(absl::Seconds(1), Id("c"), 2), absl::Seconds(2));
  EXPECT_EQ(turns.Ask(absl::Seconds(2), Id("c"), 2), absl::Seconds(1));
  EXPECT_EQ(turns.Ask(absl::Seconds(3), Id("c"), 2), absl::ZeroDuration());
  EXPECT_EQ(turns.Ask(absl::Seconds(3), Id("d"), 1000), OriginTurns::kLongestWait);
}

TEST(OriginTurnsTest, WhoFailedLetsOthersTry) {
  OriginTurns turns;
  EXPECT_EQ(turns.Ask(absl::Seconds(1), Id("a"), 0), absl::ZeroDuration());
  turns.Failed(absl::Seconds(2), Id("a"));
  EXPECT_EQ(turns.Ask(absl::Seconds(2), Id("a"), 0), OriginTurns::kAfterFailure);
  EXPECT_EQ(turns.Ask(absl::Seconds(12), Id("a"), 0), absl::ZeroDuration());
}

TEST(OriginTurnsTest, WhoAsksAfterALongTimeWaitsAnew) {
  OriginTurns turns;
  turns.Ask(absl::Seconds(1), Id("a"), 2);
  EXPECT_EQ(turns.Ask(absl::Seconds(100), Id("a"), 2), absl::Seconds(2));
}

TEST(OriginTurnsTest, TwoMembersAreFirstForEachObjectAndAllAgreeWho) {
  const std::vector<std::string> names = {"m0", "m1", "m2", "m3", "m4", "m5"};
  for (const char* object : {"a", "b", "c"}) {
    std::set<size_t> ranks;
    for (const std::string& self : names) {
      MemberFilters others;
      for (const std::string& other : names) {
        MemberMetadata metadata;
        metadata.transfer_address = other;
        if (other != self) others.Put(StatementRef::Make(other, 1, metadata));
      }
      ranks.insert(others.RankOf(self, Id(object)));
    }
    EXPECT_THAT(ranks, ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

}  // namespace
}  // namespace packice
