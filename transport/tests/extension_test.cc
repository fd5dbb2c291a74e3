// Operations that only a node's extension knows: their wire form and where HTTP has them; the JSON
// that they are read and written with.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http_messages.h"
#include "http_target.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/codec.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"

namespace packice {
namespace {

using testing::HasSubstr;

const std::vector<std::string>& Ops() {
  static const auto& ops = *new std::vector<std::string>{"greet"};
  return ops;
}

std::string Encoded(const Reply& reply, absl::string_view seq = "") {
  std::string line;
  EncodeReply(reply, seq, line);
  return line;
}

TEST(ExtensionCodec, ARequestIsHandedOverAsItIs) {
  const DecodedRequest decoded =
      DecodeRequest(R"({"op":"greet","seq":"s","name":"A\nB","n":1.50,"wait_seconds":2.5})", Ops());
  ASSERT_THAT(decoded.request, IsOk());
  EXPECT_EQ(decoded.seq, "\"s\"");
  EXPECT_EQ(decoded.request->op, Op::kExtension);
  const auto& request = absl::get<ExtensionRequest>(decoded.request->body);
  EXPECT_EQ(request.op, "greet");
  EXPECT_EQ(request.wait, absl::Seconds(2.5));
  EXPECT_THAT(request.json, HasSubstr(R"("name":"A\nB","n":1.50)"));
}

TEST(ExtensionCodec, OnlyKnownNamesAreOps) {
  const DecodedRequest unknown = DecodeRequest(R"({"op":"greet"})");
  EXPECT_THAT(unknown.request, HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(std::string(unknown.request.status().message()), HasSubstr("one of hello, acquire"));
  EXPECT_THAT(DecodeRequest(R"({"op":"extension"})", Ops()).request,
              HasKind(ErrorKind::kInvalidArgument));
}

TEST(ExtensionCodec, ABatchMayHoldOne) {
  const DecodedRequest decoded =
      DecodeRequest(R"({"op":"batch","requests":[{"op":"greet"},{"op":"stats"}]})", Ops());
  ASSERT_THAT(decoded.request, IsOk());
  const auto& batch = absl::get<std::unique_ptr<BatchRequest>>(decoded.request->body);
  EXPECT_EQ(batch->requests[0]->op, Op::kExtension);
  EXPECT_EQ(batch->requests[1]->op, Op::kStats);
}

TEST(ExtensionCodec, AClientsRequestIsReadBack) {
  Request request;
  request.op = Op::kExtension;
  request.seq = "7";
  request.body = ExtensionRequest{"greet", R"({"name":"A"})", absl::Seconds(3)};
  std::string line;
  EncodeRequest(request, line);
  EXPECT_EQ(line, "{\"seq\":7,\"op\":\"greet\",\"name\":\"A\",\"wait_seconds\":3}\n");
  const HttpMessage message = ToHttp(request);
  EXPECT_EQ(message.method, "POST");
  EXPECT_EQ(message.target, "/ops/greet");
  EXPECT_EQ(message.body, line);
}

TEST(ExtensionCodec, AnAnswerIsHandedOverAsItIs) {
  EXPECT_EQ(Encoded(ExtensionReply{R"({"hello":["A"]})"}, "7"), "{\"seq\":7,\"hello\":[\"A\"]}\n");
  EXPECT_EQ(Encoded(ExtensionReply{"{}"}, "7"), "{\"seq\":7}\n");
  EXPECT_EQ(Encoded(ExtensionReply{"{}"}), "{}\n");
  Request asked;
  asked.op = Op::kExtension;
  const DecodedReply decoded = DecodeReply(R"({"seq":7,"hello":["A"],"size":1})", asked);
  ASSERT_THAT(decoded.reply, IsOk());
  EXPECT_EQ(decoded.seq, "7");
  EXPECT_EQ(absl::get<ExtensionReply>(*decoded.reply).json, R"({"hello":["A"],"size":1})");
  const DecodedReply failed =
      DecodeReply(R"({"error":{"kind":"not_found","message":"nobody"}})", asked);
  ASSERT_THAT(failed.reply, IsOk());
  EXPECT_THAT(absl::get<absl::Status>(*failed.reply), HasKind(ErrorKind::kNotFound));
}

TEST(ExtensionCodec, StatsCarryWhatItAdds) {
  StatsReply stats;
  stats.peer.objects = 3;
  stats.more = R"({"greeter":{"greeted":2}})";
  const std::string line = Encoded(stats);
  EXPECT_THAT(line, HasSubstr(R"(,"greeter":{"greeted":2}})"));
  Request asked;
  asked.op = Op::kStats;
  const DecodedReply decoded = DecodeReply(line, asked);
  ASSERT_THAT(decoded.reply, IsOk());
  EXPECT_EQ(absl::get<StatsReply>(*decoded.reply).more, stats.more);
}

TEST(ExtensionTargets, RoutesNameOps) {
  const std::vector<NodeExtension::Route> routes = {
      {false, "/greet/all", "all"},
      {false, "/greet/one", "one", "name"},
      {true, "/greet/them", "them"},
  };
  const auto parse = [&](absl::string_view target) { return ParseTarget(target, routes); };
  EXPECT_EQ(parse("/greet/all").target.endpoint, HttpEndpoint::kExtensionQuery);
  EXPECT_EQ(parse("/greet/all?x=1").target.extension.op, "all");
  EXPECT_EQ(parse("/greet/all/x").target.endpoint, HttpEndpoint::kUnknown);
  EXPECT_EQ(parse("/greet/allx").target.endpoint, HttpEndpoint::kUnknown);
  EXPECT_EQ(parse("/greet/one").target.endpoint, HttpEndpoint::kUnknown);
  EXPECT_EQ(parse("/greet/one/").target.endpoint, HttpEndpoint::kUnknown);
  EXPECT_EQ(parse("/greet/one/a%20b/c").target.extension.json, R"({"name":"a b/c"})");
  EXPECT_EQ(parse("/greet/them").target.endpoint, HttpEndpoint::kExtensionPost);
  EXPECT_TRUE(parse("/greet/one/%zz").failure.has_value());
  EXPECT_TRUE(parse("/greet/one/%ff").failure.has_value()) << "JSON cannot name it";
  EXPECT_EQ(AllowedMethods(HttpEndpoint::kExtensionPost), "POST");
  EXPECT_TRUE(IsAllowed(HttpEndpoint::kExtensionQuery, HttpMethod::kHead));
  EXPECT_FALSE(IsAllowed(HttpEndpoint::kExtensionQuery, HttpMethod::kPost));
  EXPECT_FALSE(IsAllowed(HttpEndpoint::kExtensionPost, HttpMethod::kGet));
}

TEST(Json, AnObjectIsReadAsItWasWritten) {
  const std::string text = JsonObject()
                               .Text("text", "a\"b")
                               .Integer("integer", UINT64_MAX)
                               .Number("number", 0.25)
                               .Flag("flag", true)
                               .Seconds("seconds", absl::Milliseconds(1500))
                               .Seconds("never", absl::InfiniteDuration())
                               .List("list", {JsonObject().ToText(), "2"})
                               .ToText();
  EXPECT_EQ(text, R"({"text":"a\"b","integer":18446744073709551615,"number":0.25,"flag":true,)"
                  R"("seconds":1.5,"never":null,"list":[{},2]})");
  ASSERT_OK_AND_ASSIGN(const JsonValue value, JsonValue::Parse(text));
  EXPECT_EQ(value["text"].text(), "a\"b");
  EXPECT_EQ(value["integer"].integer(), UINT64_MAX);
  EXPECT_EQ(value["number"].number(), 0.25);
  EXPECT_EQ(value["number"].integer(), absl::nullopt);
  EXPECT_TRUE(value["flag"].flag());
  EXPECT_EQ(value["seconds"].number(), 1.5);
  EXPECT_TRUE(value["never"].is_null());
  ASSERT_EQ(value["list"].list().size(), 2u);
  EXPECT_EQ(value["list"].list()[1].integer(), 2u);
  EXPECT_TRUE(value["missing"]["deeper"].is_null());
  EXPECT_EQ(value["text"].integer(), absl::nullopt);
  EXPECT_TRUE(value["text"].list().empty());
  EXPECT_EQ(value.ToText(), text);
}

TEST(Json, WhatIsNoJsonIsRefused) {
  for (const char* text : {"", "{", "{}x", "{\"a\":}", "\xff"}) {
    EXPECT_THAT(JsonValue::Parse(text), HasKind(ErrorKind::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace packice
