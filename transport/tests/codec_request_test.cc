// Reading requests: every form a client may send, and everything that is wrong with one.
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kLease[] = "0123456789abcdef0123456789abcdef";
constexpr char kIntegers[] = "must be an integer from 0 to 9223372036854775807";

std::string Text(const DecodedRequest& decoded) {
  return std::string(decoded.request.status().message());
}

// --- Good requests: what each means, told by how it is encoded again.

struct GoodRequest {
  const char* name;
  std::string line;
  std::string canonical;
};
void PrintTo(const GoodRequest& good, std::ostream* os) { *os << good.line; }

class GoodRequests : public testing::TestWithParam<GoodRequest> {};

TEST_P(GoodRequests, Mean) {
  const DecodedRequest decoded = DecodeRequest(GetParam().line);
  ASSERT_THAT(decoded.request, IsOk());
  std::string line;
  EncodeRequest(*decoded.request, line);
  EXPECT_EQ(line, absl::StrCat(GetParam().canonical, "\n"));
  EXPECT_EQ(decoded.seq, decoded.request->seq);
}

std::string WithLease(absl::string_view front, absl::string_view back) {
  return absl::StrCat(front, "\"lease_id\":\"", kLease, "\"", back);
}

const GoodRequest kGood[] = {
    {"Hello", R"({"op":"hello"})", R"({"op":"hello"})"},
    {"HelloFeatures", R"({"op":"hello","features":["positioned","x"]})",
     R"({"op":"hello","features":["positioned","x"]})"},
    {"Read", R"({"op":"acquire","intent":"read","object_id":"models/a/1"})",
     R"({"op":"acquire","intent":"read","object_id":"models/a/1"})"},
    {"Write", R"({"op":"acquire","intent":"write","object_id":"a"})",
     R"({"op":"acquire","intent":"write","object_id":"a"})"},
    {"ReadIgnoresWhatIsForCreate",
     R"({"op":"acquire","intent":"read","object_id":"a","size":3,"meta":{"k":1},)"
     R"("object_ttl_seconds":2})",
     R"({"op":"acquire","intent":"read","object_id":"a"})"},
    {"WriteIgnoresBlobs",
     R"({"op":"acquire","intent":"write","object_id":"a","blobs":[{"size":1}]})",
     R"({"op":"acquire","intent":"write","object_id":"a"})"},
    {"CreateWithoutAnything", R"({"op":"acquire","intent":"create"})",
     R"({"op":"acquire","intent":"create"})"},
    {"CreateWithEverything",
     R"({"meta":{"b":"x","a":1.50},"wait_seconds":0.5,"ttl_seconds":30,"object_ttl_seconds":1e1,)"
     R"("size":9223372036854775807,"object_id":"a","intent":"create","op":"acquire","seq":1})",
     R"({"seq":1,"op":"acquire","intent":"create","object_id":"a","size":9223372036854775807,)"
     R"("ttl_seconds":30,"object_ttl_seconds":10,"meta":{"a":1.50,"b":"x"},"wait_seconds":0.5})"},
    {"CreateBlobs", R"({"op":"acquire","intent":"create","blobs":[{"size":0},{"size":7,"x":1}]})",
     R"({"op":"acquire","intent":"create","blobs":[{"size":0},{"size":7}]})"},
    {"CreateOneBlob", R"({"op":"acquire","intent":"create","blobs":[{"size":5}]})",
     R"({"op":"acquire","intent":"create","size":5})"},
    {"NullIsLeftOut",
     R"({"op":"acquire","command":null,"seq":null,"intent":"create","object_id":null,"size":null,)"
     R"("blobs":null,"ttl_seconds":null,"object_ttl_seconds":null,"meta":null,)"
     R"("wait_seconds":null})",
     R"({"op":"acquire","intent":"create"})"},
    {"NoWait", R"({"op":"acquire","intent":"read","object_id":"a","wait_seconds":0})",
     R"({"op":"acquire","intent":"read","object_id":"a"})"},
    {"TenYears", R"({"op":"acquire","intent":"read","object_id":"a","ttl_seconds":315360000})",
     R"({"op":"acquire","intent":"read","object_id":"a","ttl_seconds":315360000})"},
    {"OlderCreate", R"({"objid":"o1","intent":"create"})",
     R"({"op":"acquire","intent":"create","object_id":"o1"})"},
    {"OlderCommand", R"({"command":"acquire","objid":"o1","intent":"read"})",
     R"({"op":"acquire","intent":"read","object_id":"o1"})"},
    {"OlderRelease", WithLease(R"({"command":"release",)", "}"),
     WithLease(R"({"op":"release",)", "}")},
    {"OlderStat", R"({"op":"stat","objid":"o1"})", R"({"op":"stat","object_id":"o1"})"},
    {"NewNamesWin", R"({"op":"stat","command":"list","objid":"b","object_id":"a"})",
     R"({"op":"stat","object_id":"a"})"},
    {"Seal", WithLease(R"({"op":"seal",)", R"(,"size":10,"meta":{"k":[1, {"z" : null}]}})"),
     WithLease(R"({"op":"seal",)", R"(,"size":10,"meta":{"k":[1,{"z":null}]}})")},
    {"Events", R"({"op":"events"})", R"({"op":"events"})"},
    {"EventsOfKinds", R"({"op":"events","after":0,"kinds":["read","sealed"],"limit":0})",
     R"({"op":"events","after":0,"limit":0,"kinds":["sealed","read"]})"},
    {"EventsOfNoKind", R"({"op":"events","kinds":[],"limit":1000,"wait_seconds":0})",
     R"({"op":"events"})"},
    {"ReadQuiet", R"({"op":"acquire","intent":"read","object_id":"a","quiet":true})",
     R"({"op":"acquire","intent":"read","object_id":"a","quiet":true})"},
    {"ReadNotQuiet", R"({"op":"acquire","intent":"read","object_id":"a","quiet":false})",
     R"({"op":"acquire","intent":"read","object_id":"a"})"},
    {"SealWithAnEnd", WithLease(R"({"op":"seal",)", R"(,"expires_at":"2026-11-21T01:06:00.5Z"})"),
     WithLease(R"({"op":"seal",)", R"(,"expires_at":"2026-11-21T01:06:00.5Z"})")},
    {"SealPlain", WithLease(R"({"op":"seal",)", "}"), WithLease(R"({"op":"seal",)", "}")},
    {"Discard", WithLease(R"({"op":"discard",)", "}"), WithLease(R"({"op":"discard",)", "}")},
    {"UpperCaseLease", R"({"op":"release","lease_id":"0123456789ABCDEF0123456789ABCDEF"})",
     WithLease(R"({"op":"release",)", "}")},
    {"Relocate", WithLease(R"({"op":"relocate",)", R"(,"object_id":"new"})"),
     WithLease(R"({"op":"relocate",)", R"(,"object_id":"new"})")},
    {"Renew", WithLease(R"({"op":"renew",)", R"(,"ttl_seconds":1.000000001})"),
     WithLease(R"({"op":"renew",)", R"(,"ttl_seconds":1.000000001})")},
    {"ListPlain", R"({"op":"list"})", R"({"op":"list"})"},
    {"List", R"({"op":"list","prefix":"a/","after":"a/b","limit":10000})",
     R"({"op":"list","prefix":"a/","after":"a/b","limit":10000})"},
    {"Stats", R"({"op":"stats"})", R"({"op":"stats"})"},
    {"Batch", R"({"op":"batch","seq":1,"requests":[{"op":"stats","seq":"x"},{"op":"list"}]})",
     R"({"seq":1,"op":"batch","requests":[{"seq":"x","op":"stats"},{"op":"list"}]})"},
    {"EmptyBatch", R"({"op":"batch","requests":[]})", R"({"op":"batch","requests":[]})"},
    {"SpaceAround", " {\t\"op\" : \"stats\" }\r", R"({"op":"stats"})"},
    {"LastOfAKeyWins", R"({"op":"hello","op":"stat","object_id":"a","object_id":"b"})",
     R"({"op":"stat","object_id":"b"})"},
    {"NullAtLastLeavesOut", R"({"op":"list","limit":3,"limit":null})", R"({"op":"list"})"},
    {"LastMetadataKeyWins", R"({"intent":"create","meta":{"k":1,"k":2}})",
     R"({"op":"acquire","intent":"create","meta":{"k":2}})"},
    {"EscapedKeysAreKeys", R"({"\u006fp":"st\u0061ts"})", R"({"op":"stats"})"},
    {"UnknownFields", R"({"op":"stats","sizes":"x","object_idx":1,"a_very_long_name_indeed":{}})",
     R"({"op":"stats"})"},
};

INSTANTIATE_TEST_SUITE_P(Codec, GoodRequests, testing::ValuesIn(kGood),
                         [](const auto& test) { return std::string(test.param.name); });

// --- Bad requests.

struct BadRequest {
  const char* name;
  std::string line;
  const char* message;  // part of it
  ErrorKind kind = ErrorKind::kInvalidArgument;
};
void PrintTo(const BadRequest& bad, std::ostream* os) { *os << bad.line; }

class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreToldWhatIsWrong) {
  const DecodedRequest decoded = DecodeRequest(GetParam().line);
  EXPECT_THAT(decoded.request, HasKind(GetParam().kind));
  EXPECT_THAT(Text(decoded), HasSubstr(GetParam().message));
}

std::string Create(absl::string_view more) {
  return absl::StrCat(R"({"op":"acquire","intent":"create",)", more, "}");
}
std::string Read(absl::string_view more) {
  return absl::StrCat(R"({"op":"acquire","intent":"read","object_id":"a",)", more, "}");
}
std::string Blobs(int n) {
  std::string blobs = R"("blobs":[)";
  for (int i = 0; i < n; ++i) absl::StrAppend(&blobs, i == 0 ? "" : ",", R"({"size":1})");
  return blobs + "]";
}

const BadRequest kBadText[] = {
    {"Nothing", "", "not JSON: it ends too early"},
    {"Blank", "  ", "not JSON: it ends too early"},
    {"Half", R"({"op":"stats")", "not JSON: it ends too early"},
    {"Word", "acquire", "not JSON: syntax error at byte 0"},
    {"Two", R"({"op":"stats"}{})", "not JSON"},
    {"TrailingComma", R"({"op":"stats",})", "not JSON"},
    {"Comment", R"({"op":"stats"/**/})", "not JSON"},
    {"SingleQuotes", "{'op':'stats'}", "not JSON"},
    {"NaN", R"({"op":"list","limit":NaN})", "not JSON"},
    {"LeadingZero", R"({"op":"list","limit":01})", "not JSON"},
    {"Newline", "{\"op\":\"a\nb\"}", "not JSON"},
    {"Nul", std::string("{\"op\":\"stats\"}\0", 15), "not JSON"},
    {"InvalidUtf8", "{\"op\":\"stat\",\"object_id\":\"\xff\"}", "invalid UTF-8"},
    {"OverlongUtf8", "{\"op\":\"stat\",\"object_id\":\"\xc0\xaf\"}", "not JSON"},
    {"EncodedSurrogate", "{\"op\":\"stat\",\"object_id\":\"\xed\xa0\x80\"}", "not JSON"},
    {"BeyondUnicode", "{\"op\":\"stat\",\"object_id\":\"\xf4\x90\x80\x80\"}", "not JSON"},
    {"LoneSurrogate", R"({"op":"stat","object_id":"\ud800"})", "not JSON"},
    {"TooDeep", std::string(33, '[') + std::string(33, ']'), "deeper than 32 levels"},
    {"List", "[]", "must be a JSON object"},
    {"String", R"("stats")", "must be a JSON object"},
    {"Null", "null", "must be a JSON object"},
};
INSTANTIATE_TEST_SUITE_P(Text, BadRequests, testing::ValuesIn(kBadText),
                         [](const auto& test) { return std::string(test.param.name); });

const BadRequest kBadFields[] = {
    {"NoOp", "{}", R"("op" must be given: one of hello, acquire, seal)"},
    {"UnknownOp", R"({"op":"steal"})", R"("op" must be one of hello, acquire, seal, discard)"},
    {"UnknownCommand", R"({"command":"steal"})", R"("command" must be one of hello)"},
    {"OpCase", R"({"op":"Stats"})", R"("op" must be one of)"},
    {"OpType", R"({"op":1})", R"("op" must be one of)"},
    {"SeqObject", R"({"op":"stats","seq":{}})", R"("seq" must be a number or a string)"},
    {"SeqList", R"({"op":"stats","seq":[1]})", R"("seq" must be a number or a string)"},
    {"SeqTrue", R"({"op":"stats","seq":true})", R"("seq" must be a number or a string)"},
    {"SeqLong", absl::StrCat(R"({"op":"stats","seq":")", std::string(1025, 'x'), "\"}"),
     R"("seq" must be a number or a string of at most 1024 bytes)"},
    {"NoIntent", R"({"op":"acquire","object_id":"a"})", R"("intent" is missing)"},
    {"UnknownIntent", R"({"intent":"steal"})", R"("intent" must be one of read, create, write)"},
    {"IntentType", R"({"intent":1})", R"("intent" must be one of read, create, write)"},
    {"ReadNoId", R"({"op":"acquire","intent":"read"})", R"("object_id" is missing)"},
    {"WriteNoId", R"({"op":"acquire","intent":"write"})", R"("object_id" is missing)"},
    {"IdType", Create(R"("object_id":1)"), R"("object_id" must be a string)"},
    {"IdEmpty", Create(R"("object_id":"")"), R"("object_id" must be an object id: a string of 1)"},
    {"IdLong", Create(absl::StrCat(R"("objid":")", std::string(256, 'x'), "\"")),
     R"("objid" must be an object id: a string of 1 to 255 bytes)"},
    {"StatNoId", R"({"op":"stat"})", R"("object_id" is missing)"},
    {"MetaType", Create(R"("meta":[1])"), R"("meta" must be a JSON object)"},
    {"MetaTypeOfRead", Read(R"("meta":"x")"), R"("meta" must be a JSON object)"},
    {"MetaLarge", Create(absl::StrCat(R"("meta":{"k":")", std::string(70000, 'x'), "\"}")),
     R"("meta" is too large)"},
    {"FeaturesType", R"({"op":"hello","features":"x"})", R"("features" must be a list)"},
    {"FeaturesEntry", R"({"op":"hello","features":[1]})",
     R"("features" must be a list of strings)"},
    {"PrefixType", R"({"op":"list","prefix":1})", R"("prefix" must be a string)"},
    {"AfterType", R"({"op":"list","after":{}})", R"("after" must be a string)"},
    {"LimitZero", R"({"op":"list","limit":0})", R"("limit" must be an integer from 1 to 10000)"},
    {"LimitLarge", R"({"op":"list","limit":10001})", R"("limit" must be an integer from 1 to)"},
    {"LimitType", R"({"op":"list","limit":"1"})", R"("limit" must be an integer from 1 to)"},
    {"BatchNone", R"({"op":"batch"})", R"("requests" is missing)"},
    {"BatchType", R"({"op":"batch","requests":{}})", R"("requests" must be a list of at most)"},
};
INSTANTIATE_TEST_SUITE_P(Fields, BadRequests, testing::ValuesIn(kBadFields),
                         [](const auto& test) { return std::string(test.param.name); });

const BadRequest kBadNumbers[] = {
    {"Negative", Create(R"("size":-1)"), kIntegers},
    {"Fraction", Create(R"("size":1.5)"), kIntegers},
    {"WholeFraction", Create(R"("size":1.0)"), kIntegers},
    {"Exponent", Create(R"("size":1e3)"), kIntegers},
    {"TwoTo63", Create(R"("size":9223372036854775808)"), kIntegers},
    {"TwoTo64", Create(R"("size":18446744073709551616)"), kIntegers},
    {"Absurd", Create(R"("size":1e400)"), kIntegers},
    {"Digits", Create(R"("size":"12")"), kIntegers},
    {"True", Create(R"("size":true)"), kIntegers},
    {"OfRead", Read(R"("size":-1)"), kIntegers},
    {"OfSeal", WithLease(R"({"op":"seal",)", R"(,"size":-1})"), kIntegers},
    {"Blob", Create(R"("blobs":[{"size":1},{"size":-1}])"),
     R"("blobs[1].size" must be an integer)"},
    {"BlobNoSize", Create(R"("blobs":[{}])"), R"("blobs[0].size" is missing)"},
    {"BlobNullSize", Create(R"("blobs":[{"size":null}])"), R"("blobs[0].size" is missing)"},
    {"BlobType", Create(R"("blobs":[1])"), R"("blobs[0]" must be a JSON object)"},
    {"BlobsType", Create(R"("blobs":{})"), R"("blobs" must be a list of at most 253 entries)"},
    {"BlobsEmpty", Create(R"("blobs":[])"), R"("blobs" must be a list of at least one)"},
    {"BlobsMany", Create(Blobs(254)), R"("blobs" must be a list of at most 253 entries)"},
    {"BlobsAndSize", Create(R"("size":1,"blobs":[{"size":1}])"), "exclude one another"},
    {"BlobsSum", Create(R"("blobs":[{"size":9223372036854775807},{"size":1}])"),
     R"("blobs" must be at most 9223372036854775807 bytes in all)"},
    {"BlobsOfRead", Read(R"("blobs":[{"size":1.5}])"), R"("blobs[0].size" must be an integer)"},
    {"TtlZero", Read(R"("ttl_seconds":0)"), R"("ttl_seconds" must be a number of seconds over 0)"},
    {"TtlNegative", Read(R"("ttl_seconds":-0.5)"), R"("ttl_seconds" must be a number of)"},
    {"TtlTiny", Read(R"("ttl_seconds":1e-12)"), R"("ttl_seconds" must be a number of)"},
    {"TtlLong", Read(R"("ttl_seconds":315360001)"), "over 0 and up to 315360000"},
    {"TtlJustTooLong", Read(R"("ttl_seconds":315360000.5)"), "over 0 and up to 315360000"},
    {"TtlAbsurd", Read(R"("ttl_seconds":1e400)"), R"("ttl_seconds" must be a number of)"},
    {"TtlNegativeAbsurd", Read(R"("ttl_seconds":-1e400)"), R"("ttl_seconds" must be a number)"},
    {"TtlType", Read(R"("ttl_seconds":"1")"), R"("ttl_seconds" must be a number of)"},
    {"ObjectTtlZero", Create(R"("object_ttl_seconds":0)"), R"("object_ttl_seconds" must be a)"},
    {"ObjectTtlOfRead", Read(R"("object_ttl_seconds":[])"), R"("object_ttl_seconds" must be a)"},
    {"EventsLimit", R"({"op":"events","limit":10001})", R"("limit" must be an integer)"},
    {"EventsAfter", R"({"op":"events","after":-1})", R"("after" must be an integer)"},
    {"EventsKind", R"({"op":"events","kinds":["sealed","x"]})", R"("kinds" must be a list of)"},
    {"EventsKindType", R"({"op":"events","kinds":[1]})", R"("kinds" must be a list of)"},
    {"EventsKinds", R"({"op":"events","kinds":"sealed"})", R"("kinds" must be a list)"},
    {"QuietType", Read(R"("quiet":1)"), R"("quiet" must be true or false)"},
    {"WaitNegative", Read(R"("wait_seconds":-1)"), R"("wait_seconds" must be a number of seconds)"},
    {"WaitLong", Read(R"("wait_seconds":1e9)"), "from 0 to 315360000"},
    {"WaitType", Read(R"("wait_seconds":false)"), R"("wait_seconds" must be a number)"},
    {"RelocateNowhere", WithLease(R"({"op":"relocate",)", "}"), R"("object_id" is missing)"},
    {"RelocateToNothing", WithLease(R"({"op":"relocate",)", R"(,"object_id":""})"), "object_id"},
    {"RenewNoTtl", WithLease(R"({"op":"renew",)", "}"), R"("ttl_seconds" is missing)"},
    {"RenewZero", WithLease(R"({"op":"renew",)", R"(,"ttl_seconds":0})"),
     R"("ttl_seconds" must be a number of seconds over 0)"},
};
INSTANTIATE_TEST_SUITE_P(Numbers, BadRequests, testing::ValuesIn(kBadNumbers),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CodecLeaseId, MissingOrOfAnotherTypeIsInvalid) {
  for (const char* op : {"seal", "discard", "release", "renew"}) {
    for (const char* lease : {"null", "1", "{}"}) {
      const DecodedRequest decoded = DecodeRequest(
          absl::StrCat(R"({"op":")", op, R"(","ttl_seconds":1,"lease_id":)", lease, "}"));
      EXPECT_THAT(decoded.request, HasKind(ErrorKind::kInvalidArgument)) << op << lease;
      EXPECT_THAT(Text(decoded), HasSubstr("\"lease_id\""));
    }
  }
}

TEST(CodecLeaseId, AStringThatIsNoneNamesNoLease) {
  for (const char* op : {"seal", "discard", "release", "renew"}) {
    for (const char* lease :
         {"", "x", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
          "0123456789abcdef0123456789abcdeg"}) {
      const std::string more = absl::StrCat(R"(,"lease_id":")", lease, "\"}");
      const DecodedRequest decoded =
          DecodeRequest(absl::StrCat(R"({"op":")", op, R"(","ttl_seconds":1)", more));
      EXPECT_THAT(decoded.request, HasKind(ErrorKind::kLeaseExpired)) << op << lease;
    }
  }
}

TEST(CodecLeaseId, WhatCanNeverSucceedIsToldFirst) {
  EXPECT_THAT(DecodeRequest(R"({"op":"seal","lease_id":"x","size":-1})").request,
              HasKind(ErrorKind::kInvalidArgument));
}

// --- seq.

TEST(CodecSeq, IsEchoedAsItWasWritten) {
  for (const char* seq : {"0", "-7", "1.50", "1e400", "123456789012345678901234567890", "\"\"",
                          "\"a b\"", "\"\xc3\xa9\"", R"("a\"\\\n")"}) {
    const DecodedRequest good = DecodeRequest(absl::StrCat(R"({"op":"stats","seq":)", seq, "}"));
    ASSERT_THAT(good.request, IsOk());
    EXPECT_EQ(good.seq, seq);
    EXPECT_EQ(good.request->seq, seq);
    std::string line;
    EncodeReply(ReleaseReply(), good.seq, line);
    EXPECT_EQ(line, absl::StrCat("{\"seq\":", seq, ",\"status\":\"released\"}\n"));
    EXPECT_EQ(PeekSeq(line), seq);
  }
}

TEST(CodecSeq, IsEchoedWithWhateverElseIsWrong) {
  EXPECT_EQ(DecodeRequest(R"({"op":"steal","seq":7})").seq, "7");
  EXPECT_EQ(DecodeRequest(R"({"seq":7})").seq, "7");
  EXPECT_EQ(DecodeRequest(R"({"seq":7,"op":"list","limit":0})").seq, "7");
}

TEST(CodecSeq, IsEchoedWhenTheTextBreaksOffBehindIt) {
  EXPECT_EQ(DecodeRequest(R"({"seq":7,"op":)").seq, "7");
  EXPECT_EQ(DecodeRequest(R"({"seq":"x","op":"stats","blobs":[{"a":1},)").seq, "\"x\"");
  EXPECT_EQ(DecodeRequest(R"({"seq":7,"op":"stats"}})").seq, "7");
  EXPECT_EQ(DecodeRequest(R"({"blobs":[{"seq":8},)").seq, "");
  EXPECT_EQ(DecodeRequest(R"({"seq")").seq, "");
}

TEST(CodecSeq, IsNoneWhenItIsWrong) {
  const DecodedRequest decoded = DecodeRequest(R"({"op":"stats","seq":[7]})");
  EXPECT_EQ(decoded.seq, "");
  EXPECT_THAT(decoded.request, HasKind(ErrorKind::kInvalidArgument));
}

// --- batch.

TEST(CodecBatch, EachEntryStandsForItself) {
  const DecodedRequest decoded = DecodeRequest(
      R"({"op":"batch","requests":[{"op":"stats"},{"seq":1,"op":"batch","requests":[]},3,)"
      R"({"seq":"b","op":"release","lease_id":"x"},{"intent":"create"}]})");
  ASSERT_THAT(decoded.request, IsOk());
  const auto& batch = *absl::get<std::unique_ptr<BatchRequest>>(decoded.request->body);
  ASSERT_EQ(batch.requests.size(), 5u);
  EXPECT_THAT(batch.requests[0], IsOk());
  EXPECT_THAT(batch.requests[1], HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(batch.requests[2], HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(batch.requests[3], HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(batch.requests[4], IsOk());
  EXPECT_THAT(batch.seqs, ElementsAre("", "1", "", "\"b\"", ""));
}

TEST(CodecBatch, HasNoSeqsWhenNoneWasGiven) {
  const DecodedRequest decoded = DecodeRequest(R"({"op":"batch","requests":[{"op":"stats"}]})");
  ASSERT_THAT(decoded.request, IsOk());
  EXPECT_TRUE(absl::get<std::unique_ptr<BatchRequest>>(decoded.request->body)->seqs.empty());
}

TEST(CodecBatch, HasALimit) {
  std::string line = R"({"op":"batch","requests":[0)";
  for (size_t i = 1; i < BatchRequest::kMaxRequests; ++i) line += ",0";
  EXPECT_THAT(DecodeRequest(line + "]}").request, IsOk());
  const DecodedRequest decoded = DecodeRequest(line + ",0]}");
  EXPECT_THAT(decoded.request, HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Text(decoded), HasSubstr("a list of at most 10000 entries"));
}

}  // namespace
}  // namespace packice
