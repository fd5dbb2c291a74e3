// The rules of the membership, one by one: how state is exchanged, and the lost are found again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "membership_fixture.h"

namespace packice {
namespace {

// --- State, and the lost.

// Two members that hear each other at once.
class ExchangeTest : public MembershipTest {
 protected:
  // Carries messages both ways until there are none, and counts the updates of states.
  size_t Settle(Membership& other, World& others) {
    size_t members = 0;
    for (int i = 0; i < 100 && !(world_.sent.empty() && others.sent.empty()); ++i) {
      for (const Sent& each : std::exchange(world_.sent, {})) {
        if (each.to == "other") other.OnMessage(now_, "self", each.message);
      }
      for (const Sent& each : std::exchange(others.sent, {})) {
        if (const auto* state = absl::get_if<StateMessage>(&each.message.body)) {
          members += state->members.size();
        }
        if (each.to == "self") membership_->OnMessage(now_, "other", each.message);
      }
    }
    return members;
  }
};

TEST_F(ExchangeTest, WhoJoinsLearnsOfAllAndOnlyWhatDiffersIsSentThen) {
  World others;
  MembershipOptions options = Options();
  options.address = "other";
  Membership other(options, others, others, now_);
  std::vector<StatementRef> fleet;
  for (int i = 0; i < 500; ++i) {
    fleet.push_back(Update("member" + std::to_string(i), MemberState::kAlive).statement);
  }
  other.Assume(fleet);
  membership_->Join(now_, {"other"});
  Pass(absl::Milliseconds(10));
  EXPECT_GT(Settle(other, others), 500u);
  EXPECT_EQ(membership_->members().present(), 501u);
  EXPECT_EQ(other.members().present(), 501u);

  others.sent.clear();
  Hear({Update("member7", MemberState::kAlive, 9)}, "member7");
  world_.sent.clear();
  DigestMessage digest{DigestSums(membership_->members(), membership_->self(), 32)};
  MembershipMessage message;
  message.body = digest;
  other.OnMessage(now_, "self", message);
  const size_t told = Settle(other, others);
  EXPECT_GT(told, 0u);
  EXPECT_LT(told, 60u) << "a bucket of 32";
  EXPECT_EQ(other.members()[other.members().Find("member7")].statement->incarnation(), 9u);
}

TEST_F(ExchangeTest, ALargeStateComesInPiecesThatAreBounded) {
  World others;
  MembershipOptions options = Options();
  options.address = "other";
  options.max_state_bytes = 4000;
  Membership other(options, others, others, now_);
  std::vector<StatementRef> fleet;
  for (int i = 0; i < 500; ++i) {
    fleet.push_back(Update("member" + std::to_string(i), MemberState::kAlive).statement);
  }
  other.Assume(fleet);
  membership_->Join(now_, {"other"});
  for (int i = 0; i < 100 && membership_->members().present() < 501; ++i) {
    Pass(absl::Milliseconds(200));
    Settle(other, others);
  }
  EXPECT_EQ(membership_->members().present(), 501u);
  EXPECT_LT(others.largest, 8000u);
}

TEST_F(MembershipTest, DeadInTheStateOfAnotherIsOnlySuspectedHere) {
  Alive({"a", "b"});
  StateMessage state;
  state.members = {Update("b", MemberState::kDead)};
  Receive("a", state);
  EXPECT_EQ(StateOf("b"), MemberState::kSuspect);
}

TEST_F(MembershipTest, JoiningIsTriedAgainMoreAndMoreSeldom) {
  membership_->Join(now_, {"seed", "self", "seed"});
  Pass(absl::Seconds(1));
  EXPECT_GE(world_.Take<DigestMessage>().size(), 1u);
  Pass(absl::Minutes(10));
  const size_t tries = world_.Take<DigestMessage>().size();
  EXPECT_GT(tries, 15u);
  EXPECT_LT(tries, 80u) << "each thirty seconds, and whoever is lost as often";
}

TEST_F(MembershipTest, WhoIsHeardOfForTheFirstTimeIsAskedWhatItKnows) {
  Alive({"a"});
  Pass(absl::Seconds(3));
  world_.sent.clear();
  Receive("stranger", PingMessage{1, "self"});
  Pass(absl::Milliseconds(200));
  const auto asked = world_.Take<DigestMessage>();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].to, "stranger");
}

TEST_F(MembershipTest, TheDeadAreLookedForNowAndThen) {
  Alive({"a", "b"});
  Hear({Update("a", MemberState::kDead)});
  world_.sent.clear();
  Pass(absl::Seconds(90));
  bool asked = false;
  for (const Sent& each : world_.Take<DigestMessage>()) asked = asked || each.to == "a";
  EXPECT_TRUE(asked);
}

TEST_F(MembershipTest, TheDeadAreForgottenAfterADay) {
  Alive({"a", "b"});
  Hear({Update("a", MemberState::kDead)});
  for (int i = 0; i < 25 * 60; ++i) {
    Pass(absl::Minutes(1));
    Hear({Update("b", MemberState::kAlive, static_cast<uint64_t>(i) + 2)});
    world_.sent.clear();
    if (i == 23 * 60) {
      EXPECT_TRUE(Knows("a"));
    }
  }
  EXPECT_FALSE(Knows("a"));
  EXPECT_TRUE(Knows("b"));
}

TEST_F(MembershipTest, MoreMembersThanAllowedAreNotTakenUp) {
  MembershipOptions options = Options();
  options.max_members = 3;
  Begin(options);
  Alive({"a", "b", "c", "d"});
  EXPECT_EQ(membership_->members().size(), 3u);
}

// --- The table.

TEST(MemberTableTest, WhoIsRemovedIsNeitherFoundNorInTurn) {
  SplitMix random(1);
  MemberTable table(random);
  const auto add = [&](const std::string& address) {
    return table.Add(MemberRecord{StatementRef::Make(address, 1, {}), 0, MemberState::kAlive});
  };
  for (const char* address : {"a", "b", "c", "d", "e"}) add(address);
  table.NextInTurn();
  table.Remove(table.Find("b"));
  table.Remove(table.Find("e"));
  EXPECT_EQ(table.present(), 3u);
  EXPECT_EQ(table.Find("b"), MemberTable::kNone);
  for (const char* address : {"a", "c", "d"}) {
    EXPECT_EQ(table[table.Find(address)].statement->address(), address);
  }
  for (int i = 0; i < 3; ++i) table.NextInTurn();  // the rest of the round
  std::vector<int> turns(3);
  for (int i = 0; i < 30; ++i) ++turns[table.NextInTurn()];
  for (int turn : turns) EXPECT_NEAR(turn, 10, 1);
}

TEST(MemberTableTest, ASampleHasEachAtMostOnceAndOnlyWhoIsWanted) {
  SplitMix random(1);
  MemberTable table(random);
  for (int i = 0; i < 50; ++i) {
    table.Add(MemberRecord{StatementRef::Make("m" + std::to_string(i), 1, {}), 0,
                           i < 4 ? MemberState::kDead : MemberState::kAlive});
  }
  const auto dead = [](const MemberRecord& record) { return record.state == MemberState::kDead; };
  EXPECT_THAT(table.Sample(10, dead), testing::UnorderedElementsAre(0, 1, 2, 3));
  EXPECT_EQ(table.Sample(3, dead).size(), 3u);
}

}  // namespace
}  // namespace packice
