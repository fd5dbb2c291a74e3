#include "handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Hello HelloOf(absl::string_view cluster, absl::string_view address = "") {
  Hello hello;
  hello.cluster = std::string(cluster);
  hello.address = std::string(address);
  hello.epoch = 9;
  return hello;
}

// Two ends, and all that each says to the other.
class Meeting {
 public:
  Meeting(Hello dialled, const std::string& token, Hello accepted, const std::string& other_token)
      : dialled_(LinkSide::kDialled, std::move(dialled), token, random_),
        accepted_(LinkSide::kAccepted, std::move(accepted), other_token, random_) {}

  // Lets them talk, `step` bytes at a time, until nobody has more to say.
  void Run(size_t step = 1000) {
    std::string to_accepted = dialled_.Begin() + accepted_.Begin();
    std::string to_dialled;
    while (!to_accepted.empty() || !to_dialled.empty()) {
      wire_ += to_accepted + to_dialled;
      Deliver(accepted_, accepted_result_, std::exchange(to_accepted, ""), step, to_dialled);
      Deliver(dialled_, dialled_result_, std::exchange(to_dialled, ""), step, to_accepted);
    }
  }

  FakeRandom random_;
  Handshake dialled_;
  Handshake accepted_;
  absl::StatusOr<bool> dialled_result_ = false;
  absl::StatusOr<bool> accepted_result_ = false;
  std::string wire_;

 private:
  static void Deliver(Handshake& to, absl::StatusOr<bool>& result, const std::string& bytes,
                      size_t step, std::string& answer) {
    for (size_t at = 0; at < bytes.size() && result.ok() && !*result; at += step) {
      absl::string_view part = absl::string_view(bytes).substr(at, step);
      result = to.Take(part, answer);
      EXPECT_TRUE(part.empty());
    }
  }
};

TEST(Handshake, TwoNodesOfAFleetMeet) {
  for (size_t step : {1, 13, 1000}) {
    for (const char* token : {"", "secret"}) {
      Meeting meeting(HelloOf("c", "a:1"), token, HelloOf("c", "b:2"), token);
      meeting.Run(step);
      EXPECT_THAT(meeting.dialled_result_, IsOkAndHolds(true));
      EXPECT_THAT(meeting.accepted_result_, IsOkAndHolds(true));
      EXPECT_EQ(meeting.dialled_.peer().address, "b:2");
      EXPECT_EQ(meeting.accepted_.peer().address, "a:1");
      EXPECT_EQ(meeting.accepted_.peer().epoch, 9u);
    }
  }
}

TEST(Handshake, TheTokenIsNotOnTheWire) {
  Meeting meeting(HelloOf("c"), "secret", HelloOf("c"), "secret");
  meeting.Run();
  EXPECT_THAT(meeting.wire_, Not(HasSubstr("secret")));
}

TEST(Handshake, BothSidesLearnWhyNot) {
  Hello newer = HelloOf("c");
  newer.min_version = newer.max_version = 2;
  const struct {
    Hello hello;
    std::string token;
    ErrorKind kind;
    const char* why;
  } kCases[] = {
      {HelloOf("d"), "t", ErrorKind::kPermissionDenied, "cluster"},
      {HelloOf("c"), "u", ErrorKind::kPermissionDenied, "token"},
      {HelloOf("c"), "", ErrorKind::kPermissionDenied, "token"},
      {newer, "t", ErrorKind::kUnsupported, "update"},
  };
  for (const auto& c : kCases) {
    Meeting meeting(HelloOf("c"), "t", c.hello, c.token);
    meeting.Run();
    for (const auto& result : {meeting.dialled_result_, meeting.accepted_result_}) {
      EXPECT_THAT(result, HasKind(c.kind));
      EXPECT_THAT(std::string(result.status().message()), HasSubstr(c.why));
    }
  }
}

TEST(Handshake, VersionsThatOverlapWillDo) {
  Hello wider = HelloOf("c");
  wider.max_version = 5;
  Meeting meeting(HelloOf("c"), "", wider, "");
  meeting.Run();
  EXPECT_THAT(meeting.dialled_result_, IsOkAndHolds(true));
}

TEST(Handshake, WhoIsTurnedAwayLearnsWhy) {
  Meeting meeting(HelloOf("c"), "", HelloOf("c"), "");
  meeting.accepted_.TurnAway(MakeError(ErrorKind::kBusy, "too many"));
  meeting.Run();
  EXPECT_THAT(meeting.dialled_result_, HasKind(ErrorKind::kBusy));
  EXPECT_THAT(std::string(meeting.dialled_result_.status().message()), HasSubstr("too many"));
}

TEST(Handshake, NobodyIsAnsweredWithHisOwnProof) {
  FakeRandom random;
  Handshake node(LinkSide::kAccepted, HelloOf("c"), "secret", random);
  Handshake stranger(LinkSide::kDialled, HelloOf("c"), "guess", random);
  std::string answer;
  const std::string begin = stranger.Begin();
  absl::string_view bytes = begin;
  ASSERT_THAT(node.Take(bytes, answer), IsOkAndHolds(false));
  const std::string proof = answer.substr(answer.size() - 39);  // its last message
  bytes = proof;
  EXPECT_THAT(node.Take(bytes, answer), HasKind(ErrorKind::kPermissionDenied));
}

// What was said in one meeting is worth nothing in the next.
TEST(Handshake, AProofIsOfOneMeeting) {
  FakeRandom random;
  Handshake first(LinkSide::kAccepted, HelloOf("c"), "secret", random);
  Handshake friendly(LinkSide::kDialled, HelloOf("c"), "secret", random);
  std::string to_friend;
  std::string to_node;
  const std::string begin = friendly.Begin();
  absl::string_view bytes = begin;
  ASSERT_THAT(first.Take(bytes, to_friend), IsOk());
  bytes = to_friend;
  ASSERT_THAT(friendly.Take(bytes, to_node), IsOkAndHolds(true));

  Handshake second(LinkSide::kAccepted, HelloOf("c"), "secret", random);
  const std::string replay = begin + to_node;
  bytes = replay;
  EXPECT_THAT(second.Take(bytes, to_friend), HasKind(ErrorKind::kPermissionDenied));
}

TEST(Handshake, FramesBehindItAreLeftToTheCaller) {
  FakeRandom random;
  Handshake node(LinkSide::kAccepted, HelloOf("c"), "", random);
  Handshake caller(LinkSide::kDialled, HelloOf("c"), "", random);
  std::string to_caller;
  std::string to_node;
  const std::string begin = caller.Begin();
  absl::string_view bytes = begin;
  ASSERT_THAT(node.Take(bytes, to_caller), IsOk());
  bytes = to_caller;
  ASSERT_THAT(caller.Take(bytes, to_node), IsOkAndHolds(true));
  to_node += "frame";
  bytes = to_node;
  EXPECT_THAT(node.Take(bytes, to_caller), IsOkAndHolds(true));
  EXPECT_EQ(bytes, "frame");
}

TEST(Handshake, WhatIsNoGreetingIsRefused) {
  FakeRandom random;
  const std::string good = Handshake(LinkSide::kDialled, HelloOf("c", "a:1"), "", random).Begin();
  const auto with = [&](size_t at, absl::string_view bytes) {
    std::string changed = good;
    return changed.replace(at, bytes.size(), std::string(bytes));
  };
  const struct {
    const char* what;
    std::string bytes;
  } kCases[] = {
      {"another protocol", "GET / HTTP/1.1\r\n"},
      {"a proof first", with(4, "\x02")},
      {"an unknown message", with(4, "\x09")},
      {"beyond all bounds", with(5, "\xff\xff")},
      {"cut off", with(5, absl::string_view("\x10\0", 2)).substr(0, 7 + 16)},
      {"a cluster longer than the message", with(7 + 52, "\xff")},
      {"an address of a line", with(good.size() - 3, "a\n1")},
      {"a second greeting", good + good},
  };
  for (const auto& c : kCases) {
    Handshake node(LinkSide::kAccepted, HelloOf("c"), "", random);
    std::string answer;
    absl::string_view bytes = c.bytes;
    EXPECT_THAT(node.Take(bytes, answer), HasKind(ErrorKind::kInvalidArgument)) << c.what;
  }
}

}  // namespace
}  // namespace packice
