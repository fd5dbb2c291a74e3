// Messages survive their encoding, take no more bytes than was planned, and nonsense is dropped.
#include "gossip_codec.h"

#include <gtest/gtest.h>

#include <limits>

namespace packice {
namespace {

namespace wire = gossip::v1;

MemberUpdate LargestUpdate(MemberState state) {
  const std::string text(MemberMetadata::kMaxTextBytes, 'x');
  MemberMetadata metadata;
  metadata.transfer_address = metadata.zone = metadata.role = text;
  metadata.load_percent = 100;
  metadata.filter_version = std::numeric_limits<uint64_t>::max();
  return MemberUpdate{StatementRef::Make(std::string(MemberStatement::kMaxAddressBytes, 'a'),
                                         MemberStatement::kMaxIncarnation, metadata),
                      state, std::numeric_limits<uint64_t>::max()};
}

MembershipMessage Through(const MembershipMessage& message) {
  wire::Message encoded;
  Encode(message, encoded);
  EXPECT_LE(encoded.ByteSizeLong(), WireBytes(message));
  const auto decoded = Decode(encoded);
  EXPECT_TRUE(decoded);
  return decoded.value_or(MembershipMessage());
}

template <typename Body>
Body BodyThrough(Body body) {
  MembershipMessage message;
  message.body = std::move(body);
  return absl::get<Body>(Through(message).body);
}

TEST(GossipCodecTest, EachBodySurvives) {
  const uint64_t sequence = std::numeric_limits<uint64_t>::max();
  const std::string target(MemberStatement::kMaxAddressBytes, 't');
  EXPECT_EQ(BodyThrough(PingMessage{sequence, target}).target, target);
  EXPECT_EQ(BodyThrough(PingMessage{sequence, target}).sequence, sequence);
  EXPECT_EQ(BodyThrough(AckMessage{sequence}).sequence, sequence);
  EXPECT_EQ(BodyThrough(PingRequestMessage{sequence, target}).target, target);
  EXPECT_EQ(BodyThrough(NackMessage{sequence}).sequence, sequence);
  EXPECT_EQ(BodyThrough(DigestMessage{{1, sequence}}).sums, (std::vector<uint64_t>{1, sequence}));
  BodyThrough(GossipMessage());
}

TEST(GossipCodecTest, StateSurvives) {
  StateMessage state;
  state.covered = {true, false, false, true,  true,  false, false, false,
                   true, false, false, false, false, false, false, false};
  state.members = {LargestUpdate(MemberState::kDead), LargestUpdate(MemberState::kLeft)};
  state.wants_answer = true;
  const StateMessage through = BodyThrough(state);
  EXPECT_EQ(through.covered, state.covered);
  EXPECT_EQ(through.members.size(), 2u);
  EXPECT_EQ(through.members[0].state, MemberState::kDead);
  EXPECT_TRUE(through.wants_answer);
  EXPECT_FALSE(through.more);
}

TEST(GossipCodecTest, UpdatesAndBroadcastsSurviveAndFitTheirPlace) {
  MembershipMessage message;
  message.updates = {LargestUpdate(MemberState::kSuspect)};
  message.broadcasts = {std::string("\0\xff", 2)};
  const MembershipMessage through = Through(message);
  const MemberUpdate& update = through.updates.at(0);
  EXPECT_EQ(update.state, MemberState::kSuspect);
  EXPECT_EQ(update.accuser, message.updates[0].accuser);
  EXPECT_EQ(update.statement->address(), message.updates[0].statement->address());
  EXPECT_EQ(update.statement->incarnation(), MemberStatement::kMaxIncarnation);
  EXPECT_EQ(update.statement->metadata(), message.updates[0].statement->metadata());
  EXPECT_EQ(through.broadcasts, message.broadcasts);
}

TEST(GossipCodecTest, WhatNoMemberMaySayIsDropped) {
  const auto accepted = [](auto change) {
    MembershipMessage message;
    message.updates = {LargestUpdate(MemberState::kAlive)};
    wire::Message encoded;
    Encode(message, encoded);
    change(*encoded.mutable_updates(0));
    return !Decode(encoded)->updates.empty();
  };
  EXPECT_TRUE(accepted([](wire::Update&) {}));
  EXPECT_FALSE(accepted([](wire::Update& update) { update.clear_address(); }));
  EXPECT_FALSE(accepted([](wire::Update& update) { update.mutable_address()->push_back('a'); }));
  EXPECT_FALSE(accepted([](wire::Update& update) { update.mutable_zone()->push_back('z'); }));
  EXPECT_FALSE(accepted([](wire::Update& update) { update.set_load_percent(101); }));
  EXPECT_FALSE(accepted(
      [](wire::Update& update) { update.set_incarnation(MemberStatement::kMaxIncarnation + 1); }));
  EXPECT_FALSE(accepted(
      [](wire::Update& update) { update.set_state(static_cast<wire::Update::MemberState>(9)); }));
}

TEST(GossipCodecTest, OversizedBodiesAreDropped) {
  wire::Message digest;
  for (uint32_t i = 0; i <= DigestMessage::kMaxBuckets; ++i) digest.mutable_digest()->add_sums(i);
  EXPECT_FALSE(Decode(digest));
  wire::Message state;
  state.mutable_state()->set_buckets(16);
  state.mutable_state()->set_covered("x");
  EXPECT_FALSE(Decode(state));
  state.mutable_state()->set_covered("xy");
  EXPECT_TRUE(Decode(state));
}

}  // namespace
}  // namespace packice
