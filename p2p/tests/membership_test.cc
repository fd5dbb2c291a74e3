// The rules of the membership, one by one: what is believed, probed, suspected and told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "membership_fixture.h"

namespace packice {
namespace {

using testing::IsEmpty;

// --- What is believed.

TEST_F(MembershipTest, TheHigherIncarnationHoldsThenTheLaterState) {
  Alive({"a"});
  Hear({Update("a", MemberState::kSuspect, 1)});
  EXPECT_EQ(StateOf("a"), MemberState::kSuspect);
  Hear({Update("a", MemberState::kAlive, 1)});
  EXPECT_EQ(StateOf("a"), MemberState::kSuspect) << "the same incarnation refutes nothing";
  Hear({Update("a", MemberState::kAlive, 2)});
  EXPECT_EQ(StateOf("a"), MemberState::kAlive);
  Hear({Update("a", MemberState::kDead, 1)});
  EXPECT_EQ(StateOf("a"), MemberState::kAlive);
  Hear({Update("a", MemberState::kDead, 2)});
  EXPECT_EQ(StateOf("a"), MemberState::kDead);
  Hear({Update("a", MemberState::kLeft, 2)});
  EXPECT_EQ(StateOf("a"), MemberState::kLeft);
  Hear({Update("a", MemberState::kAlive, 3)});
  EXPECT_EQ(StateOf("a"), MemberState::kAlive);
}

TEST_F(MembershipTest, TheDeadAreNewsOnlyToWhoKnewThem) {
  Hear({Update("x", MemberState::kDead), Update("y", MemberState::kLeft)});
  EXPECT_FALSE(Knows("x"));
  EXPECT_FALSE(Knows("y"));
}

TEST_F(MembershipTest, WhoIsSuspectedOrDeadSaysThatItLives) {
  Alive({"a"});
  Hear({Update("self", MemberState::kSuspect, 100, "a")});
  EXPECT_EQ(membership_->self()->incarnation(), 101u);
  Hear({Update("self", MemberState::kDead, 200)});
  EXPECT_EQ(membership_->self()->incarnation(), 201u);
  EXPECT_EQ(membership_->refutations(), 2u);
  EXPECT_EQ(membership_->health(), 2u) << "being suspected is a sign of bad health";
  world_.sent.clear();
  Pass(absl::Milliseconds(300));
  ASSERT_FALSE(world_.sent.empty());
  EXPECT_EQ(world_.sent[0].message.updates.at(0).statement->incarnation(), 201u);
}

TEST_F(MembershipTest, AFormerLifeAtTheSameAddressIsOutdone) {
  Hear({Update("self", MemberState::kAlive, 5000)});
  EXPECT_EQ(membership_->self()->incarnation(), 5001u);
}

TEST_F(MembershipTest, WhoAccusesSomebodyThatRefutedItIsCorrected) {
  Hear({Update("b", MemberState::kAlive, 5)});
  world_.sent.clear();
  Hear({Update("b", MemberState::kSuspect, 4, "a")}, "a");
  ASSERT_EQ(world_.sent.size(), 1u);
  EXPECT_EQ(world_.sent[0].to, "a");
  EXPECT_EQ(world_.sent[0].message.updates.at(0).statement->incarnation(), 5u);
}

TEST_F(MembershipTest, ObserversHearOfEachChange) {
  Alive({"a"});
  Hear({Update("a", MemberState::kSuspect, 1)});
  Hear({Update("a", MemberState::kAlive, 2)});
  Hear({Update("a", MemberState::kDead, 2)});
  Hear({Update("a", MemberState::kAlive, 3)});
  Hear({Update("a", MemberState::kLeft, 3)});
  using Change = std::pair<MemberChange, std::string>;
  EXPECT_THAT(world_.changes,
              testing::ElementsAre(
                  Change{MemberChange::kJoined, "a"}, Change{MemberChange::kSuspected, "a"},
                  Change{MemberChange::kUpdated, "a"}, Change{MemberChange::kDied, "a"},
                  Change{MemberChange::kJoined, "a"}, Change{MemberChange::kLeft, "a"}));
}

// --- Probes.

TEST_F(MembershipTest, EachMemberIsProbedOnceInARound) {
  Alive({"a", "b", "c", "d"});
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> probed;
    for (int i = 0; i < 4; ++i) {
      const Sent ping = NextPing();
      probed.push_back(ping.to);
      Receive(ping.to, AckMessage{SequenceOf(ping)});
    }
    EXPECT_THAT(probed, testing::UnorderedElementsAre("a", "b", "c", "d"));
  }
}

TEST_F(MembershipTest, APingForAnotherProcessAtThisAddressIsNotAnswered) {
  Receive("a", PingMessage{7, "somebody else"});
  EXPECT_THAT(world_.sent, IsEmpty());
  Receive("a", PingMessage{7, "self"});
  ASSERT_EQ(world_.sent.size(), 1u);
  EXPECT_EQ(absl::get<AckMessage>(world_.sent[0].message.body).sequence, 7u);
}

TEST_F(MembershipTest, WhoDoesNotAnswerIsAskedThroughThreeOthersThenSuspected) {
  Alive({"a", "b", "c", "d", "e"});
  const Sent ping = NextPing();
  Pass(absl::Milliseconds(510));
  const auto requests = world_.Take<PingRequestMessage>();
  EXPECT_EQ(requests.size(), 3u);
  for (const Sent& request : requests) {
    EXPECT_NE(request.to, ping.to);
    EXPECT_EQ(absl::get<PingRequestMessage>(request.message.body).target, ping.to);
  }
  EXPECT_EQ(StateOf(ping.to), MemberState::kAlive);
  Pass(absl::Milliseconds(500));
  EXPECT_EQ(StateOf(ping.to), MemberState::kSuspect);
}

TEST_F(MembershipTest, AnAckThroughAHelperIsAsGood) {
  Alive({"a", "b", "c"});
  const Sent ping = NextPing();
  Pass(absl::Milliseconds(700));
  Receive("b", AckMessage{SequenceOf(ping)});
  Pass(absl::Milliseconds(310));
  EXPECT_EQ(StateOf(ping.to), MemberState::kAlive);
}

TEST_F(MembershipTest, AHelperPingsAndSaysWhatItHeard) {
  Receive("asker", PingRequestMessage{70, "target"});
  const auto pings = world_.Take<PingMessage>();
  ASSERT_EQ(pings.size(), 1u);
  EXPECT_EQ(pings[0].to, "target");
  Pass(absl::Milliseconds(310));
  const auto nacks = world_.Take<NackMessage>();
  ASSERT_EQ(nacks.size(), 1u);
  EXPECT_EQ(nacks[0].to, "asker");
  EXPECT_EQ(absl::get<NackMessage>(nacks[0].message.body).sequence, 70u);
  Receive("target", AckMessage{SequenceOf(pings[0])});
  const auto acks = world_.Take<AckMessage>();
  ASSERT_EQ(acks.size(), 1u) << "a late ack is passed on, too";
  EXPECT_EQ(acks[0].to, "asker");
}

TEST_F(MembershipTest, MissingNacksAreASignOfBadHealthAndAcksOfGoodHealth) {
  Alive({"a", "b", "c", "d"});
  NextPing();
  Pass(absl::Milliseconds(1010));
  EXPECT_EQ(membership_->health(), 3u) << "none of three helpers was heard";
  const Sent ping = NextPing();
  Receive(ping.to, AckMessage{SequenceOf(ping)});
  EXPECT_EQ(membership_->health(), 2u);
}

TEST_F(MembershipTest, WhereAllHelpersAreHeardTheFaultIsNotHere) {
  Alive({"a", "b", "c", "d"});
  const Sent ping = NextPing();
  Pass(absl::Milliseconds(510));
  for (const Sent& request : world_.Take<PingRequestMessage>()) {
    Receive(request.to, NackMessage{SequenceOf(ping)});
  }
  Pass(absl::Milliseconds(500));
  EXPECT_EQ(StateOf(ping.to), MemberState::kSuspect);
  EXPECT_EQ(membership_->health(), 0u);
}

TEST_F(MembershipTest, BadHealthStretchesProbesUpToEightTimes) {
  Alive({"a", "b"});
  for (uint64_t i = 0; i < 20; ++i) {
    Hear({Update("self", MemberState::kSuspect, membership_->self()->incarnation(), "b")});
  }
  EXPECT_EQ(membership_->health(), 7u);
  Pass(absl::Seconds(9));
  const uint64_t before = membership_->probes();
  Pass(absl::Seconds(16));
  EXPECT_LE(membership_->probes() - before, 3u);
}

TEST_F(MembershipTest, WhoWasStoppedItselfJudgesNobody) {
  Alive({"a", "b", "c"});
  const Sent ping = NextPing();
  now_ += absl::Seconds(30);
  membership_->Tick(now_);
  EXPECT_EQ(StateOf(ping.to), MemberState::kAlive);
  EXPECT_EQ(membership_->failed_probes(), 0u);
  EXPECT_EQ(membership_->health(), 1u);
}

// --- Suspicion.

TEST_F(MembershipTest, TheSuspectIsToldFirst) {
  Alive({"a", "b", "c"});
  Hear({Update("a", MemberState::kSuspect, 1, "b")});
  for (int i = 0; i < 50; ++i) Hear({Update("n" + std::to_string(i), MemberState::kAlive)});
  for (;;) {
    const Sent ping = NextPing();
    if (ping.to != "a") continue;
    ASSERT_FALSE(ping.message.updates.empty());
    EXPECT_EQ(ping.message.updates[0].statement->address(), "a");
    EXPECT_EQ(ping.message.updates[0].state, MemberState::kSuspect);
    break;
  }
}

TEST(SuspicionTimeoutTest, ShrinksFromSixTimesTheShortestWithTheLogOfConfirmations) {
  SuspicionOptions options;
  options.patience = absl::ZeroDuration();
  const auto seconds = [&](size_t members, size_t confirmed) {
    return absl::ToDoubleSeconds(SuspicionTimeout(options, absl::Seconds(1), members, confirmed));
  };
  EXPECT_DOUBLE_EQ(seconds(10, 0), 24);
  EXPECT_DOUBLE_EQ(seconds(10, 1), 14);
  EXPECT_DOUBLE_EQ(seconds(10, 3), 4);
  EXPECT_DOUBLE_EQ(seconds(10, 30), 4);
  EXPECT_DOUBLE_EQ(seconds(1000, 0), 72);
  EXPECT_DOUBLE_EQ(seconds(1000, 3), 12);
  EXPECT_DOUBLE_EQ(seconds(2, 0), 4) << "nobody else can confirm";
  options.patience = absl::Seconds(12);
  EXPECT_DOUBLE_EQ(seconds(10, 3), 12);
  EXPECT_DOUBLE_EQ(seconds(10, 0), 24);
}

TEST_F(MembershipTest, ASuspicionEndsTheSoonerTheMoreConfirmIt) {
  Alive({"b", "c", "d", "e", "f", "g", "h", "i"});
  for (int confirmed : {0, 3}) {
    const std::string suspect = confirmed == 0 ? "x" : "y";
    Alive({suspect});
    // Others do the probing here, so that only these confirm.
    Suspicions suspicions(Options().suspicion, absl::Seconds(1));
    const StatementRef statement = Update(suspect, MemberState::kAlive).statement;
    for (int i = 0; i <= confirmed; ++i) {
      EXPECT_TRUE(suspicions.Add(now_, statement, 100 + i, 10));
      EXPECT_FALSE(suspicions.Add(now_, statement, 100 + i, 10)) << "the same again is no news";
    }
    EXPECT_FALSE(suspicions.Add(now_, statement, Suspicions::kHearsay, 10));
    const absl::Duration last_call = absl::Seconds(confirmed == 0 ? 23 : 3);
    EXPECT_EQ(suspicions.NextDue(), now_ + last_call);
    Suspicions::Due due;
    EXPECT_TRUE(suspicions.TakeDue(now_ + last_call, due));
    EXPECT_EQ(due, Suspicions::Due::kLastCall);
    EXPECT_TRUE(suspicions.TakeDue(now_ + last_call + absl::Seconds(1), due));
    EXPECT_EQ(due, Suspicions::Due::kOver);
    EXPECT_EQ(suspicions.size(), 0u);
  }
}

TEST_F(MembershipTest, WhoDoesNotRefuteIsDead) {
  Alive({"a", "b"});
  Hear({Update("a", MemberState::kSuspect, 1, "b")});
  Pass(absl::Seconds(25));
  EXPECT_EQ(StateOf("a"), MemberState::kDead);
  EXPECT_TRUE(world_.Changed(MemberChange::kDied, "a"));
}

TEST_F(MembershipTest, BeforeItIsDeadOthersAreAskedWhetherTheyKnowBetter) {
  Alive({"a", "b", "c", "d"});
  Hear({Update("x", MemberState::kAlive), Update("x", MemberState::kSuspect, 1, "a")});
  // Everybody answers, so that nothing else of x is to be told.
  std::vector<int> told;
  for (int i = 0; i < 240 && StateOf("x") == MemberState::kSuspect; ++i) {
    Pass(absl::Milliseconds(100));
    for (const Sent& each : std::exchange(world_.sent, {})) {
      if (const auto* ping = absl::get_if<PingMessage>(&each.message.body)) {
        Receive(each.to, AckMessage{ping->sequence});
      } else if (!each.message.updates.empty() &&
                 each.message.updates[0].state == MemberState::kSuspect) {
        told.push_back(i);
      }
    }
  }
  EXPECT_EQ(StateOf("x"), MemberState::kDead);
  ASSERT_GE(told.size(), 3u);
  EXPECT_THAT(std::vector<int>(told.end() - 3, told.end()),
              testing::Each(testing::AllOf(testing::Ge(225), testing::Le(231))))
      << "a second before the end";
}

// --- What is told.

TEST_F(MembershipTest, AnUpdateIsToldFourTimesTheLogOfTheFleet) {
  Alive({"a", "b", "c", "d"});
  Pass(absl::Seconds(3));
  world_.sent.clear();
  Hear({Update("x", MemberState::kAlive)});
  Pass(absl::Seconds(5));
  size_t told = 0;
  for (const Sent& each : world_.sent) {
    for (const MemberUpdate& update : each.message.updates) {
      told += update.statement->address() == "x" && update.state == MemberState::kAlive;
    }
  }
  EXPECT_EQ(told, 4u) << "of six members: 4 * ceil(log10(7))";
}

TEST_F(MembershipTest, NoMessageIsLargerThanAllowedAndStateGoesBeforeUsers) {
  Alive({"a", "b"});
  for (int i = 0; i < 300; ++i) {
    Hear({Update("member" + std::to_string(i), MemberState::kAlive)});
    membership_->Broadcast(now_, std::string(200, 'x') + std::to_string(i));
  }
  world_.sent.clear();
  world_.largest = 0;
  Pass(absl::Milliseconds(200));
  ASSERT_FALSE(world_.sent.empty());
  for (const Sent& each : world_.sent) {
    if (absl::holds_alternative<DigestMessage>(each.message.body)) continue;
    EXPECT_LE(WireBytes(each.message), 1400u);
    EXPECT_GE(each.message.updates.size(), 10u) << "those who joined first";
  }
}

TEST_F(MembershipTest, WhatUsersSpreadIsHeardOnce) {
  MembershipMessage message;
  message.broadcasts = {"news", "news", "other news"};
  membership_->OnMessage(now_, "a", message);
  membership_->OnMessage(now_, "b", message);
  EXPECT_THAT(world_.broadcasts, testing::ElementsAre("news", "other news"));
}

TEST_F(MembershipTest, NewsOfItselfAreToldSeldomAndAtLast) {
  Alive({"a"});
  MemberMetadata metadata = membership_->self()->metadata();
  for (int i = 1; i <= 100; ++i) {
    metadata.filter_version = static_cast<uint64_t>(i);
    membership_->SetMetadata(now_, metadata);
    Pass(absl::Milliseconds(100));
  }
  EXPECT_LE(membership_->self()->incarnation(), 107u) << "ten seconds, every two";
  Pass(absl::Seconds(3));
  EXPECT_EQ(membership_->self()->metadata().filter_version, 100u);
}

TEST_F(MembershipTest, WhoLeavesTellsSoAndProbesNobodyMore) {
  Alive({"a", "b"});
  membership_->Leave(now_);
  EXPECT_FALSE(membership_->LeaveTold());
  world_.sent.clear();
  Pass(absl::Seconds(5));
  EXPECT_TRUE(membership_->LeaveTold());
  ASSERT_FALSE(world_.sent.empty());
  for (const Sent& each : world_.sent) {
    EXPECT_TRUE(absl::holds_alternative<GossipMessage>(each.message.body));
  }
  EXPECT_EQ(world_.sent[0].message.updates.at(0).state, MemberState::kLeft);
  Hear({Update("self", MemberState::kSuspect, 500, "a")});
  EXPECT_EQ(membership_->refutations(), 0u);
}

}  // namespace
}  // namespace packice
