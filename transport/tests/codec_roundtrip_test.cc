// What one side writes, the other reads: every kind of message, with odd ids, texts and numbers.
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message_maker.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

class CodecRoundTrip : public testing::TestWithParam<int> {};

// One encoding shows every field, and two values that differ have different ones; so equal text is
// equal values, provided that the text holds what went in, which the other tests of the codec show.
TEST_P(CodecRoundTrip, LosesNothing) {
  const Op op = static_cast<Op>(GetParam());
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    MessageMaker maker(seed);
    const Request request = maker.MakeRequest(op);
    std::string line;
    EncodeRequest(request, line);
    ASSERT_EQ(line.find('\n'), line.size() - 1) << line;
    const DecodedRequest decoded = DecodeRequest(line.substr(0, line.size() - 1));
    ASSERT_THAT(decoded.request, IsOk()) << line;
    EXPECT_EQ(decoded.seq, request.seq);
    std::string again;
    EncodeRequest(*decoded.request, again);
    ASSERT_EQ(again, line);

    const Reply reply = maker.MakeReply(request);
    std::string answer;
    EncodeReply(reply, request.seq, answer);
    ASSERT_EQ(answer.find('\n'), answer.size() - 1) << answer;
    EXPECT_EQ(PeekSeq(answer), request.seq) << answer;
    const DecodedReply read = DecodeReply(answer, request);
    ASSERT_THAT(read.reply, IsOk()) << answer;
    EXPECT_EQ(read.seq, request.seq);
    EXPECT_EQ(read.reply->index(), reply.index());
    std::string answer_again;
    EncodeReply(*read.reply, read.seq, answer_again);
    ASSERT_EQ(answer_again, answer);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, CodecRoundTrip, testing::Range(0, static_cast<int>(Op::kExtension)),
                         [](const auto& test) {
                           return std::string(OpName(static_cast<Op>(test.param)));
                         });

// Field by field, for the forms that matter most.
TEST(CodecRoundTripValues, Acquire) {
  MessageMaker maker(7);
  for (int i = 0; i < 500; ++i) {
    const Request request = maker.MakeRequest(Op::kAcquire);
    std::string line;
    EncodeRequest(request, line);
    const DecodedRequest decoded = DecodeRequest(line);
    ASSERT_THAT(decoded.request, IsOk()) << line;
    const auto& sent = absl::get<AcquireRequest>(request.body);
    const auto& got = absl::get<AcquireRequest>(decoded.request->body);
    EXPECT_EQ(got.access, sent.access);
    EXPECT_EQ(got.object_id, sent.object_id);
    EXPECT_EQ(got.blob_sizes, sent.blob_sizes);
    EXPECT_EQ(got.metadata, sent.metadata);
    EXPECT_EQ(got.object_ttl, sent.object_ttl);
    EXPECT_EQ(got.ttl, sent.ttl);
    EXPECT_EQ(got.wait, sent.wait);
    EXPECT_EQ(got.quiet, sent.quiet);
  }
}

TEST(CodecRoundTripValues, Info) {
  MessageMaker maker(8);
  for (int i = 0; i < 500; ++i) {
    const ObjectInfo sent = maker.Info();
    Request asked;
    asked.op = Op::kStat;
    const DecodedReply decoded = DecodeReply(FormatReply(sent), asked);
    ASSERT_THAT(decoded.reply, IsOk());
    const auto& got = absl::get<ObjectInfo>(*decoded.reply);
    EXPECT_EQ(got.object_id, sent.object_id);
    EXPECT_EQ(got.state, sent.state);
    EXPECT_EQ(got.metadata, sent.metadata);
    EXPECT_EQ(got.blob_sizes, sent.blob_sizes);
    EXPECT_EQ(got.leases, sent.leases);
    EXPECT_EQ(got.created_at, sent.created_at);
    EXPECT_EQ(got.sealed_at, sent.sealed_at);
    EXPECT_EQ(got.expires_at, sent.expires_at);
    EXPECT_EQ(got.tiers, sent.tiers);
  }
}

TEST(CodecRoundTripValues, Events) {
  MessageMaker maker(9);
  for (int i = 0; i < 500; ++i) {
    const Request asked = maker.MakeRequest(Op::kEvents);
    std::string line;
    EncodeRequest(asked, line);
    const DecodedRequest decoded = DecodeRequest(line);
    ASSERT_THAT(decoded.request, IsOk()) << line;
    const auto& sent = absl::get<EventsRequest>(asked.body);
    const auto& got = absl::get<EventsRequest>(decoded.request->body);
    EXPECT_EQ(got.after, sent.after);
    EXPECT_EQ(got.limit, sent.limit);
    EXPECT_EQ(got.kinds, sent.kinds);
    EXPECT_EQ(got.wait, sent.wait);

    const EventPage page = maker.MakeEventPage();
    const DecodedReply reply = DecodeReply(FormatReply(page), asked);
    ASSERT_THAT(reply.reply, IsOk());
    const auto& read = absl::get<EventPage>(*reply.reply);
    EXPECT_EQ(read.next, page.next);
    ASSERT_EQ(read.events.size(), page.events.size());
    for (size_t at = 0; at < page.events.size(); ++at) {
      const EventRecord& a = page.events[at];
      const EventRecord& b = read.events[at];
      EXPECT_EQ(
          std::tie(a.sequence, a.time, a.kind, a.tier, a.object_id, a.size, a.operation, a.detail),
          std::tie(b.sequence, b.time, b.kind, b.tier, b.object_id, b.size, b.operation, b.detail));
    }
  }
}

// Infinite durations of a client mean "none" and "for ever".
TEST(CodecRoundTripValues, InfiniteDurations) {
  Request request;
  request.op = Op::kAcquire;
  AcquireRequest& acquire = request.body.emplace<AcquireRequest>();
  acquire.object_id = *ObjectId::Parse("a");
  acquire.ttl = absl::InfiniteDuration();
  acquire.wait = absl::InfiniteDuration();
  std::string line;
  EncodeRequest(request, line);
  EXPECT_EQ(line,
            "{\"op\":\"acquire\",\"intent\":\"read\",\"object_id\":\"a\","
            "\"wait_seconds\":315360000}\n");
  EXPECT_THAT(DecodeRequest(line).request, IsOk());
}

}  // namespace
}  // namespace packice
