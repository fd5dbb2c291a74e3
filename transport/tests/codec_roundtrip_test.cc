// What one side writes, the other reads: every kind of message, with odd ids, texts and numbers.
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

// Messages made of what is likely to break them; the same ones for the same seed.
class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Coin() { return Below(2) == 0; }

  std::string Text(size_t least, size_t most) {
    static constexpr absl::string_view kPieces[] = {
        "/",
        "..",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\t",
        absl::string_view("\0", 1),
        "\x01",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x80\xa8",
        "\xf0\x9f\x98\x80",
        " ",
        "a",
        "models/",
        "{}",
        "[",
        ",",
        ":",
        "%2f",
        "\\u0041",
        "\xef\xbf\xbd",
        "<",
        "seq",
    };
    std::string text;
    const size_t pieces = Below(12);
    for (size_t i = 0; i < pieces || text.size() < least; ++i) {
      const absl::string_view piece = kPieces[Below(std::size(kPieces))];
      text.append(piece.data(), piece.size());
    }
    return text.size() <= most ? text : "x";
  }
  ObjectId Id() { return *ObjectId::Parse(Text(1, ObjectId::kMaxBytes)); }
  LeaseId Lease() {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 32; ++i) text.push_back(kDigits[Below(16)]);
    return *LeaseId::Parse(text);
  }
  uint64_t Size() {
    const uint64_t edges[] = {0, 1, 4096, INT64_MAX};
    return Coin() ? edges[Below(4)] : Below(uint64_t{1} << (1 + Below(62)));
  }
  absl::Duration Span() {
    const absl::Duration edges[] = {absl::Nanoseconds(1), absl::Milliseconds(1), absl::Seconds(1),
                                    absl::Hours(24 * 3650), absl::Nanoseconds(1234567891)};
    return Coin() ? edges[Below(5)] : absl::Nanoseconds(1 + Below(uint64_t{1} << (1 + Below(50))));
  }
  absl::Time When() { return absl::FromUnixNanos(static_cast<int64_t>(Below(int64_t{4} << 60))); }
  Metadata Meta() {
    static constexpr absl::string_view kValues[] = {
        "null",
        "true",
        "-0.50",
        "1e400",
        "12345678901234567890123",
        "\"\\u0000\\n\"",
        "[]",
        "{\"a\":[{}]}",
        "\"\xf0\x9f\x98\x80\"",
        "{\"a\":1,\"a\":2}",
    };
    Metadata metadata;
    for (uint64_t i = Below(4); i > 0; --i) {
      metadata.Set(Text(0, 100), kValues[Below(std::size(kValues))]);
    }
    return metadata;
  }
  ObjectInfo Info() {
    ObjectInfo info;
    info.object_id = Id();
    info.state = Coin() ? ObjectState::kSealed : ObjectState::kCreating;
    info.metadata = Meta();
    for (uint64_t i = Below(4); i > 0; --i) info.blob_sizes.push_back(Below(1 << 20));
    info.leases = Below(9);
    info.created_at = When();
    if (Coin()) info.sealed_at = When();
    if (Coin()) info.expires_at = When();
    for (uint64_t i = Below(3); i > 0; --i) info.tiers.push_back(Text(0, 20));
    return info;
  }
  std::string Seq() {
    static constexpr absl::string_view kSeqs[] = {"", "1", "-2.5e3", "\"x\"", "\"\\\"\\n\""};
    return std::string(kSeqs[Below(std::size(kSeqs))]);
  }

  Request MakeRequest(Op op);
  Reply MakeReply(const Request& asked);
  EventPage MakeEventPage();

 private:
  AcquireRequest MakeAcquire();
  PutMessage MakePut();
  SealRequest MakeSeal();
  EventsRequest MakeEvents();
  EventKind Kind() {
    return static_cast<EventKind>(Below(static_cast<uint64_t>(kLastEventKind) + 1));
  }
  GrantReply MakeGrant();
  StatsReply MakeStats();
  TierStats MakeTier();

  std::mt19937 random_;
};

AcquireRequest Maker::MakeAcquire() {
  AcquireRequest acquire;
  acquire.access = static_cast<Access>(Below(3));
  if (Coin()) acquire.ttl = Span();
  if (Coin()) acquire.wait = Span();
  acquire.quiet = Coin();
  if (acquire.access != Access::kCreate || Coin()) acquire.object_id = Id();
  if (acquire.access != Access::kCreate) return acquire;
  if (Coin()) {
    acquire.blob_sizes.push_back(Size());
  } else {
    for (uint64_t i = Below(5); i > 0; --i) acquire.blob_sizes.push_back(Below(1 << 30));
  }
  acquire.written_here = Coin();
  acquire.metadata = Meta();
  if (Coin()) acquire.object_ttl = Span();
  return acquire;
}

PutMessage Maker::MakePut() {
  PutMessage message;
  if (Coin()) message.put.object_id = Id();
  for (uint64_t i = Below(4); i > 0; --i) message.put.blob_sizes.push_back(Below(1 << 30));
  message.put.metadata = Meta();
  if (Coin()) message.put.object_ttl = Span();
  if (Coin()) message.put.wait = Span();
  if (Coin()) {
    message.staged = StagedRange{Size(), Size()};
  } else {
    message.payload = Below(PutMessage::kMaxPayload + 1);
  }
  return message;
}

SealRequest Maker::MakeSeal() {
  SealRequest seal;
  seal.lease_id = Lease();
  if (Coin()) seal.size = Size();
  seal.metadata = Meta();
  if (Coin()) seal.expires_at = When();
  return seal;
}

EventsRequest Maker::MakeEvents() {
  EventsRequest events;
  if (Coin()) events.after = Size();
  if (Coin()) events.limit = Below(EventsRequest::kMaxLimit + 1);
  if (Coin()) events.kinds = EventKinds::None().With(Kind()).With(Kind());
  if (Coin()) events.wait = Span();
  return events;
}

EventPage Maker::MakeEventPage() {
  EventPage page;
  page.next = Size();
  for (uint64_t i = Below(4); i > 0; --i) {
    EventRecord& event = page.events.emplace_back();
    event.sequence = Size();
    event.time = When();
    event.kind = Kind();
    event.tier = Text(0, 20);
    if (Coin()) event.object_id = Id();
    event.size = Size();
    event.operation = OperationId{Size()};
    event.detail = Text(0, 100);
  }
  return page;
}

Request Maker::MakeRequest(Op op) {
  Request request;
  request.op = op;
  request.seq = Seq();
  switch (op) {
    case Op::kHello:
      request.body = HelloRequest{{Text(0, 50), Text(0, 50)}};
      break;
    case Op::kAcquire:
      request.body = MakeAcquire();
      break;
    case Op::kSeal:
      request.body = MakeSeal();
      break;
    case Op::kDiscard:
    case Op::kRelease:
      request.keep_bytes = Coin();
      request.body = LeaseRequest{Lease()};
      break;
    case Op::kRenew:
      request.body = RenewRequest{Lease(), Span()};
      break;
    case Op::kRelocate:
      request.keep_bytes = Coin();
      request.body = RelocateRequest{Lease(), Id()};
      break;
    case Op::kStat:
      request.body = StatRequest{Id()};
      break;
    case Op::kList:
      request.body = ListRequest{Text(0, 90), Text(0, 90), 1 + Below(ListRequest::kMaxLimit)};
      break;
    case Op::kStats:
      break;
    case Op::kIndex:
      request.body = IndexRequest();
      break;
    case Op::kEvents:
      request.body = MakeEvents();
      break;
    case Op::kPut:
      request.body = MakePut();
      break;
    case Op::kStage:
      request.body = StageRequest{Size()};
      break;
    case Op::kWrite:
      request.body = WriteRequest{Lease(), Below(Object::kMaxBlobs), Size(), {Size(), Size()}};
      break;
    case Op::kExtension:
      break;
    case Op::kBatch: {
      auto batch = std::make_unique<BatchRequest>();
      for (uint64_t i = Below(6); i > 0; --i) {
        batch->requests.push_back(
            MakeRequest(static_cast<Op>(Below(static_cast<uint64_t>(Op::kBatch)))));
      }
      request.body = std::move(batch);
      break;
    }
  }
  return request;
}

GrantReply Maker::MakeGrant() {
  GrantReply grant;
  grant.lease_id = Lease();
  grant.object_id = Id();
  grant.access = static_cast<Access>(Below(3));
  grant.state = Coin() ? ObjectState::kSealed : ObjectState::kCreating;
  if (Coin()) grant.ttl = Span();
  grant.metadata = Meta();
  grant.size = Size();
  for (uint64_t i = Below(4); i > 0; --i) {
    switch (Below(5)) {
      case 0:
        grant.handles.push_back(FdHandle{Below(253), Size(), Size()});
        break;
      case 1:
        grant.handles.push_back(
            PathHandle{Text(0, 200), Size(), Size(),
                       Coin() ? absl::optional<size_t>(Below(253)) : absl::nullopt});
        break;
      case 2:
        grant.handles.push_back(SegmentHandle{Size(), Size(), Size()});
        break;
      case 3:
        grant.handles.push_back(SegmentHandle{Size(), Size(), Size(), Below(253), Size()});
        break;
      default:
        grant.handles.push_back(UrlDescriptor{Text(0, 200), Size()});
    }
  }
  for (uint64_t i = Below(3); i > 0; --i) grant.dropped_segments.push_back(Size());
  return grant;
}

TierStats Maker::MakeTier() {
  TierStats tier;
  tier.name = Text(1, 20);
  tier.state = static_cast<TierState>(Below(5));
  tier.reason = Text(0, 20);
  for (uint64_t* count :
       {&tier.objects, &tier.bytes, &tier.hits, &tier.hit_bytes, &tier.misses, &tier.missed_bytes,
        &tier.evictions, &tier.demotions, &tier.demoted_bytes, &tier.promotions,
        &tier.promoted_bytes, &tier.queued, &tier.queued_bytes, &tier.moving, &tier.discards_due}) {
    *count = Size();
  }
  if (Coin()) tier.capacity = Size();
  if (Coin()) tier.coldest_age = Span();
  return tier;
}

StatsReply Maker::MakeStats() {
  StatsReply stats;
  PeerStats& peer = stats.peer;
  for (uint64_t* count :
       {&peer.objects, &peer.creating, &peer.bytes, &peer.hits, &peer.hit_bytes, &peer.misses,
        &peer.evictions, &peer.expired_objects, &peer.quarantined, &peer.expired_leases,
        &peer.waiting, &peer.read_leases, &peer.create_leases, &peer.write_leases,
        &stats.connections, &stats.descriptors, &stats.refused}) {
    *count = Size();
  }
  if (Coin()) peer.capacity = Size();
  if (Coin()) peer.coldest_age = Span();
  for (uint64_t i = Below(4); i > 0; --i) peer.tiers.push_back(MakeTier());
  stats.uptime = Span();
  return stats;
}

Reply Maker::MakeReply(const Request& asked) {
  if (Below(8) == 0) return MakeError(ErrorTable()[Below(ErrorTable().size())].kind, Text(0, 200));
  switch (asked.op) {
    case Op::kIndex:
      return IndexReply{Below(253), Below(253), Size()};
    case Op::kHello:
      return HelloReply{Text(0, 20), 2, {Text(0, 20)}};
    case Op::kAcquire:
      return MakeGrant();
    case Op::kSeal:
      return Sealed{Id(), Size()};
    case Op::kDiscard:
      return DiscardReply();
    case Op::kRelease:
      return ReleaseReply();
    case Op::kRenew:
      return RenewReply{Span()};
    case Op::kRelocate:
      return RelocateReply{Id()};
    case Op::kStat:
      return Info();
    case Op::kList: {
      ListPage page;
      for (uint64_t i = Below(5); i > 0; --i) page.objects.push_back(Info());
      if (Coin()) page.next = Id();
      return page;
    }
    case Op::kStats:
      return MakeStats();
    case Op::kEvents:
      return MakeEventPage();
    case Op::kPut:
      return Sealed{Id(), Size()};
    case Op::kStage:
      return StageReply{Below(253), Size()};
    case Op::kWrite:
      return WriteReply();
    case Op::kExtension:
      return ExtensionReply();
    case Op::kBatch: {
      auto reply = std::make_unique<BatchReply>();
      for (const auto& request : absl::get<std::unique_ptr<BatchRequest>>(asked.body)->requests) {
        reply->responses.push_back(MakeReply(*request));
        reply->seqs.push_back(request->seq);
      }
      return reply;
    }
  }
  return absl::OkStatus();
}

class CodecRoundTrip : public testing::TestWithParam<int> {};

// One encoding shows every field, and two values that differ have different ones; so equal text is
// equal values, provided that the text holds what went in, which the other tests of the codec show.
TEST_P(CodecRoundTrip, LosesNothing) {
  const Op op = static_cast<Op>(GetParam());
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Maker maker(seed);
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
  Maker maker(7);
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
  Maker maker(8);
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
  Maker maker(9);
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
