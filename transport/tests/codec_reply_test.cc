// Writing replies as every client reads them, and reading what a node, or something else, answers.
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kLease[] = "0123456789abcdef0123456789abcdef";

ObjectId Id(absl::string_view text) { return *ObjectId::Parse(text); }

Request Asked(Op op) {
  Request request;
  request.op = op;
  return request;
}

absl::StatusOr<Reply> Decode(absl::string_view line, Op op) {
  return std::move(DecodeReply(line, Asked(op)).reply);
}

GrantReply SomeGrant() {
  GrantReply grant;
  grant.lease_id = *LeaseId::Parse(kLease);
  grant.object_id = Id("a/1");
  grant.access = Access::kRead;
  grant.state = ObjectState::kSealed;
  grant.size = 5;
  return grant;
}

ObjectInfo SomeInfo() {
  ObjectInfo info;
  info.object_id = Id("a/1");
  info.metadata.Set("k", "[1]");
  info.blob_sizes = {3, 4};
  info.leases = 2;
  info.created_at = absl::FromUnixSeconds(1700000000) + absl::Milliseconds(250);
  return info;
}

// --- Writing.

TEST(CodecReply, ShortOnes) {
  HelloReply hello;
  hello.version = "0.1.0";
  hello.features = {"positioned", "x"};
  EXPECT_EQ(FormatReply(hello),
            R"({"packice":"0.1.0","protocol":2,"features":["positioned","x"]})");
  EXPECT_EQ(FormatReply(HelloReply()), R"({"packice":"","protocol":2,"features":[]})");
  EXPECT_EQ(FormatReply(Sealed{Id("a"), 7}), R"({"status":"sealed","object_id":"a","size":7})");
  EXPECT_EQ(FormatReply(DiscardReply()), R"({"status":"discarded"})");
  EXPECT_EQ(FormatReply(ReleaseReply()), R"({"status":"released"})");
  EXPECT_EQ(FormatReply(RenewReply{absl::Seconds(30)}), R"({"status":"renewed","ttl_seconds":30})");
  EXPECT_EQ(FormatReply(RelocateReply{Id("b")}), R"({"status":"relocated","object_id":"b"})");
}

TEST(CodecReply, Info) {
  ObjectInfo info = SomeInfo();
  EXPECT_EQ(FormatReply(info),
            R"({"object_id":"a/1","state":"CREATING","size":7,"meta":{"k":[1]},)"
            R"("blobs":[{"size":3},{"size":4}],"leases":2,"created_at":"2023-11-14T22:13:20.25Z",)"
            R"("sealed_at":null,"expires_at":null})");
  info.state = ObjectState::kSealed;
  info.sealed_at = absl::FromUnixSeconds(-1);
  info.expires_at = absl::FromUnixSeconds(0) + absl::Nanoseconds(1);
  EXPECT_THAT(FormatReply(info), HasSubstr(R"("sealed_at":"1969-12-31T23:59:59Z",)"
                                           R"("expires_at":"1970-01-01T00:00:00.000000001Z"})"));
}

TEST(CodecReply, InfoOfTiers) {
  ObjectInfo info = SomeInfo();
  info.tiers = {"hot", "cold/hot"};
  EXPECT_THAT(FormatReply(info), HasSubstr(R"("expires_at":null,"tiers":["hot","cold/hot"]})"));
}

TEST(CodecReply, TimesThatRfc3339CannotWrite) {
  ObjectInfo info = SomeInfo();
  info.created_at = absl::InfinitePast();
  info.sealed_at = absl::FromCivil(absl::CivilYear(12345), absl::UTCTimeZone());
  info.expires_at = absl::InfiniteFuture();
  EXPECT_THAT(FormatReply(info), HasSubstr(R"("created_at":"0000-01-01T00:00:00Z",)"
                                           R"("sealed_at":"9999-12-31T23:59:59.999999999Z",)"
                                           R"("expires_at":null})"));
}

TEST(CodecReply, List) {
  ListPage page;
  EXPECT_EQ(FormatReply(page), R"({"objects":[],"next":null})");
  page.objects = {SomeInfo(), SomeInfo()};
  page.next = Id("a/1");
  const std::string info = FormatReply(SomeInfo());
  EXPECT_EQ(FormatReply(page),
            absl::StrCat(R"({"objects":[)", info, ",", info, R"(],"next":"a/1"})"));
}

TEST(CodecReply, Stats) {
  StatsReply stats;
  stats.peer.objects = 1;
  stats.peer.bytes = 2;
  stats.uptime = absl::Milliseconds(12500);
  EXPECT_EQ(
      FormatReply(stats),
      R"({"objects":1,"creating":0,"bytes":2,"capacity":null,"hits":0,"hit_bytes":0,"misses":0,)"
      R"("evictions":0,"expired_objects":0,"quarantined":0,"expired_leases":0,"waiting":0,)"
      R"("leases":{"read":0,"create":0,"write":0},"coldest_age_seconds":null,"connections":0,)"
      R"("refused":0,"descriptors":0,"uptime_seconds":12.5})");
  stats.peer.capacity = 3;
  EXPECT_THAT(FormatReply(stats), HasSubstr(R"("capacity":3,)"));
}

TEST(CodecReply, StatsOfTiers) {
  StatsReply stats;
  stats.peer.coldest_age = absl::Milliseconds(1500);
  TierStats& hot = stats.peer.tiers.emplace_back();
  hot.name = "hot";
  hot.objects = 1;
  hot.bytes = 2;
  hot.capacity = 4;
  hot.hits = 3;
  hot.misses = 1;
  hot.hit_bytes = 1;
  hot.missed_bytes = 7;
  hot.queued = 5;
  hot.coldest_age = absl::Seconds(9);
  TierStats& cold = stats.peer.tiers.emplace_back();
  cold.name = "cold";
  cold.state = TierState::kDown;
  cold.reason = "no \"node\"";
  const std::string line = FormatReply(stats);
  EXPECT_THAT(
      line,
      HasSubstr(R"("coldest_age_seconds":1.5,"tiers":[{"name":"hot","state":"ok","reason":"",)"
                R"("capacity":4,"objects":1,"bytes":2,"hits":3,"hit_bytes":1,"misses":1,)"
                R"("missed_bytes":7,"evictions":0,"demotions":0,"demoted_bytes":0,"promotions":0,)"
                R"("promoted_bytes":0,"queued":5,"queued_bytes":0,"moving":0,"discards_due":0,)"
                R"("request_hit_ratio":0.75,"byte_hit_ratio":0.125,"coldest_age_seconds":9},{)"));
  EXPECT_THAT(line, HasSubstr(R"({"name":"cold","state":"down","reason":"no \"node\"",)"
                              R"("capacity":null,)"));
  EXPECT_THAT(line, HasSubstr(R"("request_hit_ratio":null,"byte_hit_ratio":null,)"
                              R"("coldest_age_seconds":null}],"connections":)"));
}

TEST(CodecReply, Events) {
  EventPage page;
  page.next = 9;
  EventRecord& degraded = page.events.emplace_back();
  degraded.sequence = 7;
  degraded.time = absl::FromUnixMillis(1500);
  degraded.kind = EventKind::kTierDegraded;
  degraded.tier = "cold";
  degraded.detail = "out of reach";
  EventRecord& sealed = page.events.emplace_back(degraded);
  sealed.sequence = 8;
  sealed.kind = EventKind::kSealed;
  sealed.tier.clear();
  sealed.detail.clear();
  sealed.object_id = *ObjectId::Parse("a\n");
  sealed.operation = OperationId{3};
  const std::string line = R"({"seq":8,"time":"1970-01-01T00:00:01.5Z","kind":"sealed",)"
                           R"("object_id":"a\n","size":0,"operation":3})";
  EXPECT_EQ(FormatReply(page),
            R"({"events":[{"seq":7,"time":"1970-01-01T00:00:01.5Z","kind":"tier_degraded",)"
            R"("tier":"cold","detail":"out of reach"},)" +
                line + R"(],"next":9})");
  std::string out;
  AppendEventLine(sealed, out);
  EXPECT_EQ(out, line + "\n");
}

// A node that is newer than its client may tell of what the client has no name for.
TEST(CodecReply, EventsOfUnknownKindsAreLeftOut) {
  Request asked;
  asked.op = Op::kEvents;
  const DecodedReply reply =
      DecodeReply(R"({"events":[{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"polished"},)"
                  R"({"seq":2,"time":"1970-01-01T00:00:00Z","kind":"sealed"}],"next":2})",
                  asked);
  ASSERT_THAT(reply.reply, IsOk());
  const auto& page = absl::get<EventPage>(*reply.reply);
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(page.events[0].sequence, 2u);
}

TEST(CodecReply, BatchHasOneLine) {
  auto batch = std::make_unique<BatchReply>();
  batch->responses.push_back(ReleaseReply());
  batch->responses.push_back(MakeError(ErrorKind::kBusy, "x"));
  batch->seqs = {"", "\"b\""};
  std::string line = "kept ";
  EncodeReply(std::move(batch), "7", line);
  EXPECT_EQ(line,
            "kept "
            R"({"seq":7,"responses":[{"status":"released"},)"
            R"({"seq":"b","error":{"kind":"busy","message":"x"}}]})"
            "\n");
}

TEST(CodecReply, EveryErrorKindGoesThereAndBack) {
  for (const ErrorInfo& info : ErrorTable()) {
    const std::string line = FormatReply(MakeError(info.kind, "why"));
    EXPECT_EQ(line, absl::StrCat(R"({"error":{"kind":")", info.name, R"(","message":"why"}})"));
    const absl::StatusOr<Reply> reply = Decode(line, Op::kAcquire);
    ASSERT_THAT(reply, IsOk());
    EXPECT_THAT(absl::get<absl::Status>(*reply), HasKind(info.kind));
    EXPECT_EQ(absl::get<absl::Status>(*reply).message(), "why");
  }
}

TEST(CodecReply, AForeignStatusAndAnOkOne) {
  EXPECT_THAT(FormatReply(absl::NotFoundError("x")), HasSubstr(R"("kind":"not_found")"));
  EXPECT_THAT(FormatReply(absl::OkStatus()), HasSubstr(R"("kind":"internal")"));
}

TEST(CodecReply, MessagesMayHoldAnyBytes) {
  const std::pair<std::string, std::string> cases[] = {
      {"a\"b\\c\n\r\t/", R"(a\"b\\c\n\r\t/)"},
      {std::string("\0\x01\x1f\x7f", 4), "\\u0000\\u0001\\u001f\x7f"},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xff|\xc3|\xe2\x82|\xf0\x9f\x98", "\uFFFD|\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD"},
      {"\xc0\xaf", "\uFFFD\uFFFD"},                      // overlong
      {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},            // a surrogate
      {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},  // beyond U+10FFFF
      {"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xf4\x8f\xbf\xbf"},
  };
  for (const auto& [message, written] : cases) {
    const std::string line = FormatReply(MakeError(ErrorKind::kIo, message));
    EXPECT_EQ(line, absl::StrCat(R"({"error":{"kind":"io","message":")", written, R"("}})"));
    EXPECT_THAT(Decode(line, Op::kStats), IsOk()) << line;
  }
}

TEST(CodecReply, MetadataOnSeveralLinesStaysOnOne) {
  GrantReply grant = SomeGrant();
  grant.metadata.Set("k", "[1,\r\n2]");
  EXPECT_THAT(FormatReply(std::move(grant)), HasSubstr(R"("meta":{"k":[1,  2]})"));
}

// --- Reading.

TEST(CodecDecodeReply, IsTolerantOfWhatItDoesNotKnow) {
  const std::string line = absl::StrCat(
      R"({"new":{},"lease_id":")", kLease, R"(","object_id":"a","intent":"write","more":[1],)",
      R"("state":"SEALED","size":1,"handles":[{"kind":"fd","x":1,"index":2,"size":1}],"seq":"s"})");
  const DecodedReply decoded = DecodeReply(line, Asked(Op::kAcquire));
  ASSERT_THAT(decoded.reply, IsOk());
  EXPECT_EQ(decoded.seq, "\"s\"");
  const auto& grant = absl::get<GrantReply>(*decoded.reply);
  EXPECT_EQ(grant.access, Access::kWrite);
  EXPECT_FALSE(grant.ttl.has_value());
  EXPECT_TRUE(grant.metadata.empty());
  EXPECT_EQ(absl::get<FdHandle>(grant.handles[0]).index, 2u);
  EXPECT_EQ(absl::get<FdHandle>(grant.handles[0]).offset, 0u);
}

TEST(CodecDecodeReply, AnUnknownErrorKindIsInternal) {
  const auto reply = Decode(R"({"error":{"kind":"eaten","message":"by a grue"}})", Op::kSeal);
  ASSERT_THAT(reply, IsOk());
  EXPECT_THAT(absl::get<absl::Status>(*reply), HasKind(ErrorKind::kInternal));
  EXPECT_EQ(absl::get<absl::Status>(*reply).message(), "eaten: by a grue");
}

TEST(CodecDecodeReply, StatsOfANodeThatCountsLess) {
  const auto reply = Decode(R"({"objects":18446744073709551615})", Op::kStats);
  ASSERT_THAT(reply, IsOk());
  EXPECT_EQ(absl::get<StatsReply>(*reply).peer.objects, UINT64_MAX);
}

struct BadReply {
  const char* name;
  Op asked;
  std::string line;
  const char* message;
};
void PrintTo(const BadReply& bad, std::ostream* os) { *os << bad.line; }

class BadReplies : public testing::TestWithParam<BadReply> {};

TEST_P(BadReplies, AreCorrupt) {
  const auto reply = Decode(GetParam().line, GetParam().asked);
  EXPECT_THAT(reply, HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr(GetParam().message));
}

std::string Grant(absl::string_view from, absl::string_view to) {
  GrantReply grant = SomeGrant();
  grant.handles.push_back(FdHandle{0, 0, 5});
  std::string line = FormatReply(std::move(grant));
  const size_t at = line.find(std::string(from));
  EXPECT_NE(at, std::string::npos) << from;
  return line.replace(at, from.size(), std::string(to));
}

std::string Info(absl::string_view from, absl::string_view to) {
  std::string line = FormatReply(SomeInfo());
  const size_t at = line.find(std::string(from));
  EXPECT_NE(at, std::string::npos) << from;
  return line.replace(at, from.size(), std::string(to));
}

const BadReply kBad[] = {
    {"NotJson", Op::kStats, "HTTP/1.1 200 OK", "the answer to stats"},
    {"NoObject", Op::kStats, "[]", "must be a JSON object"},
    {"ErrorType", Op::kStats, R"({"error":"busy"})", R"("error" must be a JSON object)"},
    {"ErrorKind", Op::kStats, R"({"error":{"message":"x"}})", R"("error.kind" is missing)"},
    {"Hello", Op::kHello, R"({"packice":"1"})", R"("protocol" is missing)"},
    {"HelloFeatures", Op::kHello, R"({"packice":"1","protocol":2,"features":[1]})", "of strings"},
    {"GrantEmpty", Op::kAcquire, "{}", R"("lease_id" is missing)"},
    {"GrantLease", Op::kAcquire, Grant(kLease, "x"), R"("lease_id" must be 32 hexadecimal)"},
    {"GrantId", Op::kAcquire, Grant(R"("a/1")", R"("")"), R"("object_id" must be an object id)"},
    {"GrantIntent", Op::kAcquire, Grant(R"("read")", R"("x")"), R"("intent" must be one of)"},
    {"GrantState", Op::kAcquire, Grant("SEALED", "sealed"), R"("state" must be one of)"},
    {"GrantTtl", Op::kAcquire, Grant("null", "-1"), R"("ttl_seconds" must be)"},
    {"GrantMeta", Op::kAcquire, Grant("{}", "[]"), R"("meta" must be a JSON object)"},
    {"GrantSize", Op::kAcquire, Grant(R"("size":5,)", ""), R"("size" is missing)"},
    {"GrantHandles", Op::kAcquire, Grant("handles", "x"), R"("handles" is missing)"},
    {"GrantKind", Op::kAcquire, Grant(R"("fd",)", R"("tape",)"), R"("handles[0].kind" must be)"},
    {"GrantIndex", Op::kAcquire, Grant("index", "x"), R"("handles[0].index" is missing)"},
    {"GrantHandle", Op::kAcquire, Grant(R"([{)", R"([3,{)"), R"("handles[0]" must be a JSON)"},
    {"SealStatus", Op::kSeal, R"({"status":"released","object_id":"a","size":1})", R"("status")"},
    {"SealSize", Op::kSeal, R"({"status":"sealed","object_id":"a"})", R"("size" is missing)"},
    {"Discard", Op::kDiscard, R"({"status":"released"})", R"("status" must be one of discarded)"},
    {"Release", Op::kRelease, "{}", R"("status" is missing)"},
    {"Renew", Op::kRenew, R"({"status":"renewed"})", R"("ttl_seconds" is missing)"},
    {"InfoTime", Op::kStat, Info("2023-11-14", "yesterday"), R"("created_at" must be a time)"},
    {"InfoInfinite", Op::kStat, Info("2023-11-14T22:13:20.25Z", "infinite-past"), "created_at"},
    {"InfoSealed", Op::kStat, Info(R"("sealed_at":null)", R"("sealed_at":1)"), "sealed_at"},
    {"InfoBlob", Op::kStat, Info(R"({"size":4})", "{}"), R"("blobs[1].size" is missing)"},
    {"InfoLeases", Op::kStat, Info("leases", "x"), R"("leases" is missing)"},
    {"ListObjects", Op::kList, R"({"next":null})", R"("objects" is missing)"},
    {"ListObject", Op::kList, R"({"objects":[{"object_id":"a"}],"next":null})",
     R"("objects[0].state" is missing)"},
    {"ListNext", Op::kList, R"({"objects":[],"next":""})", R"("next" must be an object id)"},
    {"StatsEmpty", Op::kStats, "{}", R"("objects" is missing)"},
    {"StatsType", Op::kStats, R"({"objects":1,"hits":-1})", R"("hits" must be an integer)"},
    {"StatsLeases", Op::kStats, R"({"objects":1,"leases":{"read":"x"}})", R"("leases.read")"},
    {"EventsNext", Op::kEvents, R"({"events":[]})", R"("next" is missing)"},
    {"EventsTime", Op::kEvents, R"({"events":[{"seq":1,"kind":"read"}],"next":1})",
     R"("events[0].time" is missing)"},
    {"InfoTiers", Op::kStat, Info(R"("sealed_at")", R"("tiers":[1],"sealed_at")"), R"("tiers")"},
    {"StatsTiers", Op::kStats, R"({"objects":1,"tiers":{}})", R"("tiers" must be a list)"},
    {"StatsTier", Op::kStats, R"({"objects":1,"tiers":[{}]})", R"("tiers[0].name" is missing)"},
    {"StatsTierState", Op::kStats, R"({"objects":1,"tiers":[{"name":"a","state":"lost"}]})",
     R"("tiers[0].state" must be one of)"},
};
INSTANTIATE_TEST_SUITE_P(Codec, BadReplies, testing::ValuesIn(kBad),
                         [](const auto& test) { return std::string(test.param.name); });

Request AskedBatch() {
  auto batch = std::make_unique<BatchRequest>();
  batch->requests.emplace_back(Asked(Op::kRelease));
  batch->requests.emplace_back(MakeError(ErrorKind::kInvalidArgument, "x"));
  Request request = Asked(Op::kBatch);
  request.body = std::move(batch);
  return request;
}

TEST(CodecDecodeBatch, EachByItsOwnQuestion) {
  const DecodedReply decoded = DecodeReply(
      R"({"responses":[{"status":"released"},{"seq":2,"error":{"kind":"io"}}]})", AskedBatch());
  ASSERT_THAT(decoded.reply, IsOk());
  const BatchReply& batch = *absl::get<std::unique_ptr<BatchReply>>(*decoded.reply);
  ASSERT_EQ(batch.responses.size(), 2u);
  EXPECT_TRUE(absl::holds_alternative<ReleaseReply>(batch.responses[0]));
  EXPECT_THAT(absl::get<absl::Status>(batch.responses[1]), HasKind(ErrorKind::kIo));
  EXPECT_THAT(batch.seqs, ElementsAre("", "2"));
}

TEST(CodecDecodeBatch, IsCorruptWhereItDoesNotFit) {
  for (const char* line :
       {R"({})", R"({"responses":[]})", R"({"responses":[{"status":"released"}]})",
        R"({"responses":[{"status":"released"},{"status":"released"}]})",
        R"({"responses":[{"status":"discarded"},{"error":{"kind":"io"}}]})",
        R"({"responses":[{"status":"released"},{"error":{"kind":"io"}},{}]})"}) {
    EXPECT_THAT(DecodeReply(line, AskedBatch()).reply, HasKind(ErrorKind::kCorrupt)) << line;
  }
  EXPECT_THAT(Decode(R"({"responses":[]})", Op::kBatch), HasKind(ErrorKind::kCorrupt));
}

TEST(CodecPeekSeq, WhereverItStands) {
  EXPECT_EQ(PeekSeq(R"({"seq":12,"status":"released"})"), "12");
  EXPECT_EQ(PeekSeq(R"({"seq":12})"), "12");
  EXPECT_EQ(PeekSeq(R"({"seq":1.5,"status":"released"})"), "1.5");
  EXPECT_EQ(PeekSeq(R"({"seq":"a\"b","status":"released"})"), R"("a\"b")");
  EXPECT_EQ(PeekSeq(R"({ "status":"released", "seq" : -3 })"), "-3");
  EXPECT_EQ(PeekSeq(R"({"meta":{"seq":3}})"), "");
  EXPECT_EQ(PeekSeq(R"({"status":"released"})"), "");
  EXPECT_EQ(PeekSeq(R"({"seq":12)"), "12");  // cut off, but told
  EXPECT_EQ(PeekSeq("\"seq\""), "");
  EXPECT_EQ(PeekSeq(""), "");
}

TEST(CodecMetadata, IsReadAndWritten) {
  ASSERT_OK_AND_ASSIGN(Metadata metadata, ParseMetadata(R"( {"b" : [1.0, "\u00e9"], "a":"x\/"} )"));
  EXPECT_EQ(metadata.Find("a"), absl::string_view("\"x/\""));
  EXPECT_EQ(metadata.Find("b"), absl::string_view("[1.0,\"\xc3\xa9\"]"));
  EXPECT_EQ(FormatMetadata(metadata), "{\"a\":\"x/\",\"b\":[1.0,\"\xc3\xa9\"]}");
  EXPECT_THAT(ParseMetadata("{}"), IsOkAndHolds(Metadata()));
  EXPECT_THAT(FormatMetadata(Metadata()), testing::Eq("{}"));
}

TEST(CodecMetadata, ThatIsNoObjectOrTooLarge) {
  for (const std::string& text :
       {std::string(""), std::string("[]"), std::string("\"x\""), std::string("{} {}"),
        absl::StrCat("{\"k\":\"", std::string(Metadata::kMaxBytes, 'x'), "\"}"),
        absl::StrCat("{\"k\":", std::string(40, '['), std::string(40, ']'), "}")}) {
    EXPECT_THAT(ParseMetadata(text), HasKind(ErrorKind::kInvalidArgument)) << text.substr(0, 50);
  }
}

TEST(CodecValues, AnIdIsAJsonString) {
  ASSERT_OK_AND_ASSIGN(const ObjectId id, ParseObjectId(R"("a\u00e9\n")"));
  EXPECT_EQ(id.bytes(), "a\xc3\xa9\n");
  for (const std::string& json :
       {std::string("7"), std::string("null"), std::string("[\"a\"]"), std::string("\"\""),
        std::string("a"), std::string(), "\"" + std::string(256, 'x') + "\""}) {
    EXPECT_THAT(ParseObjectId(json), HasKind(ErrorKind::kInvalidArgument)) << json;
  }
}

TEST(CodecValues, AnyBytesAreAJsonString) {
  EXPECT_EQ(FormatString("a\"\\\n"), R"("a\"\\\n")");
  EXPECT_EQ(FormatString("\xff"), "\"\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace packice
