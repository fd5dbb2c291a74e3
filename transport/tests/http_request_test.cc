// What a request is, before anything is done with it: the parser, targets, queries, ranges, tokens.
#include <string>
#include <vector>

#include "bearer_token.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http_parser.h"
#include "http_query.h"
#include "http_range.h"
#include "http_target.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// --- Targets.

HttpTarget Target(absl::string_view text) {
  ParsedTarget parsed = ParseTarget(text);
  EXPECT_FALSE(parsed.failure) << text;
  return std::move(parsed.target);
}

TEST(HttpTargets, Objects) {
  EXPECT_EQ(Target("/objects").endpoint, HttpEndpoint::kObjects);
  const std::tuple<const char*, HttpEndpoint, absl::string_view> rows[] = {
      {"/objects/a", HttpEndpoint::kObject, "a"},
      {"/objects/a/b", HttpEndpoint::kObject, "a/b"},
      {"/objects/a%2fb", HttpEndpoint::kObject, "a/b"},
      {"/objects/a/data", HttpEndpoint::kObjectData, "a"},
      {"/objects/a%2Fdata", HttpEndpoint::kObject, "a/data"},
      {"/objects/a/data/data", HttpEndpoint::kObjectData, "a/data"},
      {"/objects/data", HttpEndpoint::kObject, "data"},
      {"/objects/../../etc/passwd", HttpEndpoint::kObject, "../../etc/passwd"},
      {"/objects/", HttpEndpoint::kObject, ""},
      {"/objects//", HttpEndpoint::kObject, "/"},
      {"/objects/a+b?x=1", HttpEndpoint::kObject, "a+b"},
      {"http://host:1/objects/a", HttpEndpoint::kObject, "a"},
  };
  for (const auto& [text, endpoint, id] : rows) {
    EXPECT_EQ(Target(text).endpoint, endpoint) << text;
    EXPECT_EQ(Target(text).id, id) << text;
  }
}

TEST(HttpTargets, WhatWasEncodedIsFound) {
  for (const absl::string_view id :
       {"a", "a/b", "a/data", "/data", "%", "a b", "\xc3\xbc?#", "..", "+&="}) {
    const HttpTarget target = Target("/objects/" + EncodePath(id));
    EXPECT_EQ(target.endpoint, HttpEndpoint::kObject) << id;
    EXPECT_EQ(target.id, id);
    EXPECT_EQ(Target("/objects/" + EncodePath(id) + "/data").id, id);
  }
}

TEST(HttpTargets, Blobs) {
  const HttpTarget blob = Target("/leases/x/blobs/12");
  EXPECT_EQ(blob.endpoint, HttpEndpoint::kBlob);
  EXPECT_EQ(blob.lease_id, "x");
  EXPECT_EQ(blob.blob, 12u);
  EXPECT_EQ(Target("/leases/x/blobs/0/sums").endpoint, HttpEndpoint::kSums);
  for (const char* text : {"/leases/x/blobs/", "/leases/x/blobs/-1", "/leases/x/blobs/+1",
                           "/leases/x", "/leases/x/blobs/1/", "/leases/x/blobs/9999999999",
                           "/leases//x/blobs/1", "/Acquire", "/acquire/", "", "*", "x"}) {
    EXPECT_EQ(Target(text).endpoint, HttpEndpoint::kUnknown) << text;
  }
}

TEST(HttpTargets, Queries) {
  const HttpTarget target = Target("/objects?prefix=a%26b+c&limit=5&limit=6&&x");
  EXPECT_EQ(target.Query("prefix"), "a&b c");
  EXPECT_EQ(target.Query("limit"), "6");
  EXPECT_EQ(target.Query("x"), "");
  EXPECT_EQ(target.Query("y"), absl::nullopt);
  for (const char* text : {"/objects/%", "/objects/%4", "/objects/%4g", "/objects?a=%"}) {
    EXPECT_TRUE(ParseTarget(text).failure) << text;
  }
  ASSERT_OK_AND_ASSIGN(const ListRequest list, ListFromQuery(target));
  EXPECT_EQ(list.prefix, "a&b c");
  EXPECT_EQ(list.limit, 6u);
  for (const char* limit : {"0", "10001", "1.5", "x", "-1", ""}) {
    EXPECT_THAT(
        ListFromQuery(Target(absl::string_view("/objects?limit=").data() + std::string(limit))),
        HasKind(ErrorKind::kInvalidArgument))
        << limit;
  }
}

// --- The parser.

struct Read {
  HttpParser parser{4096, 1024};
  std::string body;

  // Gives the text in pieces of at most `step` bytes, as they might come.
  explicit Read(absl::string_view text, size_t step) {
    std::string pending;
    std::vector<absl::string_view> pieces;
    while (!text.empty()) {
      const size_t n = std::min(step, text.size());
      pending.append(text.data(), n);
      text.remove_prefix(n);
      size_t taken = 0;
      while (true) {
        const HttpParser::Phase before = parser.phase();
        const size_t more = parser.Read(absl::string_view(pending).substr(taken), pieces);
        taken += more;
        if (more == 0 && before == parser.phase()) break;
      }
      for (const absl::string_view piece : pieces) body.append(piece.data(), piece.size());
      pieces.clear();
      pending.erase(0, taken);
    }
  }
};

TEST(HttpParsing, HoweverTheBytesCome) {
  const std::string chunked =
      "\r\nPUT /objects/a HTTP/1.1\r\nhost: x\r\nAuthorization: Bearer t\r\nRANGE: bytes=1-2\r\n"
      "Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n"
      "3;x=y\r\nabc\r\n05\r\ndefgh\r\n0\r\nAuthorization: other\r\n\r\n";
  for (size_t step = 1; step <= chunked.size(); ++step) {
    const Read read(chunked, step);
    ASSERT_EQ(read.parser.phase(), HttpParser::Phase::kDone) << step;
    const HttpRequest& request = read.parser.request();
    EXPECT_EQ(request.method, HttpMethod::kPut);
    EXPECT_EQ(request.target, "/objects/a");
    EXPECT_EQ(request.authorization, "Bearer t");
    EXPECT_EQ(request.range, "bytes=1-2");
    EXPECT_TRUE(request.chunked && request.expects_continue && request.keep_alive);
    EXPECT_EQ(read.body, "abcdefgh");
  }
}

TEST(HttpParsing, LimitsHoldHoweverTheBytesCome) {
  const std::string headers = "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(5000, 'a');
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 500; ++i) many += "A: bcdef\r\n";
  const std::string target = "GET /" + std::string(3000, 'a');
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4000}, size_t{100000}}) {
    EXPECT_EQ(Read(headers, step).parser.failure().status, 431) << step;
    EXPECT_EQ(Read(many + "\r\n", step).parser.failure().status, 431) << step;
    EXPECT_EQ(Read(target + " HTTP/1.1\r\nHost: x\r\n\r\n", step).parser.failure().status, 414)
        << step;
  }
}

TEST(HttpParsing, OneRequestAfterAnother) {
  HttpParser parser(4096, 1024);
  std::vector<absl::string_view> body;
  std::string text =
      "POST /seal HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
      "GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  size_t at = parser.Read(text, body);
  EXPECT_EQ(parser.phase(), HttpParser::Phase::kBody);
  at += parser.Read(absl::string_view(text).substr(at), body);
  EXPECT_THAT(body, ElementsAre("{}"));
  EXPECT_EQ(parser.phase(), HttpParser::Phase::kDone);
  EXPECT_EQ(parser.Read(absl::string_view(text).substr(at), body), 0u);
  parser.Next();
  at += parser.Read(absl::string_view(text).substr(at), body);
  EXPECT_EQ(at, text.size());
  EXPECT_EQ(parser.request().target, "/stats");
  EXPECT_EQ(parser.request().content_length, absl::nullopt);
  EXPECT_FALSE(parser.request().keep_alive);
}

// --- Ranges, tags, tokens.

TEST(HttpRanges, ContentRange) {
  EXPECT_EQ(ParseContentRange("bytes 0-0/*"), (ByteRange{0, 1}));
  EXPECT_EQ(ParseContentRange("bytes 5-9/10"), (ByteRange{5, 5}));
  for (const char* wrong :
       {"bytes 5-9/9", "bytes 9-5/*", "bytes -5/*", "bytes 5-/*", "bytes */10", "5-9/10",
        "bytes=5-9/10", "bytes 5-9", "bytes a-b/*", "bytes 0-18446744073709551615/*", ""}) {
    EXPECT_EQ(ParseContentRange(wrong), absl::nullopt) << wrong;
  }
}

TEST(HttpRanges, NothingHasNoRange) {
  EXPECT_EQ(ResolveRange("bytes=0-", 0).kind, RangeAnswer::Kind::kUnsatisfiable);
  EXPECT_EQ(ResolveRange("bytes=-1", 0).kind, RangeAnswer::Kind::kUnsatisfiable);
  EXPECT_EQ(ResolveRange("", 0).kind, RangeAnswer::Kind::kWhole);
}

TEST(HttpRanges, Tags) {
  EXPECT_TRUE(HasETag("\"a\"", "\"a\"", true));
  EXPECT_TRUE(HasETag(" \"b\" , \"a\"", "\"a\"", true));
  EXPECT_TRUE(HasETag("\"a,b\"", "\"a,b\"", true));
  EXPECT_TRUE(HasETag("*", "\"a\"", true));
  EXPECT_TRUE(HasETag("W/\"a\"", "\"a\"", false));
  EXPECT_FALSE(HasETag("W/\"a\"", "\"a\"", true));
  for (const char* list : {"", "a", "\"a", "\"ab\"", ",", "\"b\" \"", "W/"}) {
    EXPECT_FALSE(HasETag(list, "\"a\"", false)) << list;
  }
}

TEST(BearerToken, Compare) {
  EXPECT_TRUE(HasBearerToken("Bearer abc", "abc"));
  EXPECT_TRUE(HasBearerToken("BEARER  abc ", "abc"));
  for (const char* given :
       {"", "Bearer", "Bearer ", "Bearer ab", "Bearer abcabc", "Bearer abd", "abc"}) {
    EXPECT_FALSE(HasBearerToken(given, "abc")) << given;
  }
  EXPECT_FALSE(HasBearerToken("Bearer ", ""));
}

}  // namespace
}  // namespace packice
