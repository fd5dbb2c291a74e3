// What an HTTP server refuses, cuts off and never does: limits, slow clients, tokens, bytes that
// are no HTTP.
#include "absl/strings/str_cat.h"
#include "http_test.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::Not;

class HttpLimits : public HttpTest {};

TEST_F(HttpLimits, HeadersAndTargets) {
  StartServer({.max_header_bytes = 2000, .max_target_bytes = 1000});
  const std::string many(1900, 'a');
  EXPECT_EQ(Connect().Ask("GET /healthz", "", "X: " + std::string(1800, 'a') + "\r\n").status, 200);
  HttpClient client = Connect();
  const HttpReply reply = client.Ask("GET /healthz", "", "X: " + many + "\r\nY: " + many + "\r\n");
  EXPECT_EQ(reply.Outcome(), "431 invalid_argument");
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(Connect().Ask("GET /objects?prefix=" + std::string(1100, 'a')).Outcome(),
            "414 invalid_argument");
  // Whether they come at once or bit by bit.
  HttpClient slow = Connect();
  for (int i = 0; i < 30; ++i)
    slow.Send(i == 0 ? "GET /healthz HTTP/1.1\r\n" : "X: " + std::string(97, 'b') + "\r\n");
  EXPECT_EQ(slow.Receive().status, 431);
  HttpClient endless = Connect();
  endless.Send("GET /" + std::string(5000, 'x'));
  EXPECT_EQ(endless.Receive().status, 414);
}

TEST_F(HttpLimits, Bodies) {
  StartServer({.max_body_bytes = 100, .max_put_bytes = 1000});
  HttpClient client = Connect();
  const std::string long_body =
      R"({"intent":"create","object_id":")" + std::string(100, 'a') + "\"}";
  EXPECT_EQ(client.Ask("POST /acquire", long_body).Outcome(), "413 invalid_argument");
  EXPECT_EQ(client.Ask("PUT /objects/a", std::string(1000, 'x')).status, 201);
  EXPECT_EQ(client.Ask("PUT /objects/b", std::string(1001, 'x')).Outcome(), "413 invalid_argument");
  // Chunked, where nobody knows beforehand.
  for (const char* what : {"PUT /objects/b", "POST /acquire"}) {
    HttpClient chunked = Connect();
    std::string request =
        absl::StrCat(what, " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; ++i) request += "64\r\n" + std::string(100, 'x') + "\r\n";
    ASSERT_TRUE(chunked.Send(request));
    EXPECT_EQ(chunked.Receive().Outcome(), "413 invalid_argument");
    EXPECT_TRUE(chunked.AtEnd());
  }
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_EQ(Stats().objects, 1u);
}

TEST_F(HttpLimits, Connections) {
  StartServer({.max_connections = 2});
  HttpClient one = Connect();
  HttpClient two = Connect();
  ASSERT_EQ(one.Ask("GET /healthz").status, 200);
  ASSERT_EQ(two.Ask("GET /healthz").status, 200);
  HttpClient three = Connect();
  EXPECT_EQ(three.Receive().Outcome(), "503 capacity");
  EXPECT_TRUE(three.AtEnd());
  EXPECT_EQ(one.Ask("GET /stats").Json().Number("refused"), 1);
  two.Close();
  EXPECT_TRUE(Eventually([&] { return one.Ask("GET /stats").Json().Number("connections") == 1; }));
  EXPECT_EQ(Connect().Ask("GET /healthz").status, 200);
}

TEST_F(HttpLimits, RequestsInFlight) {
  StartServer({.max_in_flight = 1});
  HttpClient creator = Connect();
  ASSERT_EQ(creator.Ask("POST /acquire", R"({"intent":"create","object_id":"a"})").status, 200);
  HttpClient waiting = Connect();
  ASSERT_TRUE(waiting.Send(HttpClient::Text(
      "POST /acquire", R"({"intent":"read","object_id":"a","wait_seconds":1000})")));
  ASSERT_TRUE(Eventually([&] { return Stats().waiting == 1; }));
  EXPECT_TRUE(Eventually([&] { return creator.Ask("GET /stats").Outcome() == "503 capacity"; }));
  waiting.Close();
  EXPECT_TRUE(Eventually([&] { return creator.Ask("GET /stats").status == 200; }));
}

TEST_F(HttpLimits, SlowHeadersAreCutOff) {
  StartServer({.header_timeout = absl::Milliseconds(50)});
  HttpClient silent = Connect();
  HttpClient loris = Connect();
  ASSERT_TRUE(loris.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n"));
  const auto trickle = [&] {
    loris.Send("X: y\r\n");
    return loris.HasBytes();
  };
  EXPECT_TRUE(Eventually(trickle));
  EXPECT_EQ(loris.Receive().Outcome(), "408 timeout");
  EXPECT_TRUE(loris.AtEnd());
  // One that has sent nothing yet has more time.
  EXPECT_EQ(silent.Ask("GET /healthz").status, 200);
}

TEST_F(HttpLimits, SlowBodiesAreCutOff) {
  StartServer({.stall_timeout = absl::Milliseconds(50)});
  for (const char* what : {"PUT /objects/a", "POST /acquire"}) {
    HttpClient loris = Connect();
    ASSERT_TRUE(
        loris.Send(absl::StrCat(what, " HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")));
    const auto trickle = [&] {
      loris.Send("x");
      return loris.HasBytes();
    };
    EXPECT_TRUE(Eventually(trickle));
    EXPECT_EQ(loris.Receive().Outcome(), "408 timeout");
    EXPECT_TRUE(loris.AtEnd());
  }
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_EQ(Stats().objects, 0u);
}

TEST_F(HttpLimits, SlowReadersAreCutOff) {
  StartServer({.stall_timeout = absl::Milliseconds(50)});
  HttpClient writer = Connect();
  ASSERT_EQ(writer.Ask("PUT /objects/a", std::string(64 << 20, 'x')).status, 201);
  HttpClient reader = Connect();
  ASSERT_TRUE(reader.Send(HttpClient::Text("GET /objects/a/data")));
  EXPECT_TRUE(Eventually([&] { return Stats().hits == 1; }));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(HttpLimits, IdleConnectionsAreClosed) {
  StartServer({.idle_timeout = absl::Milliseconds(50)});
  HttpClient client = Connect();
  EXPECT_EQ(client.Ask("GET /healthz").status, 200);
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpLimits, BytesThatAreNoHttp) {
  StartServer();
  const std::pair<std::string, const char*> rows[] = {
      {"hello\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz HTTP/2.0\r\n\r\n", "505 unsupported"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 unsupported"},
      {"GET /healthz HTTP/1.1\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "400 invalid_argument"},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", "400 invalid_argument"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
       "400 invalid_argument"},
      // What would let one request hide within another (RFC 9112, 11.2).
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       "400 invalid_argument"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400 invalid_argument"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
       "400 invalid_argument"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n"
       "0\r\n\r\n",
       "400 invalid_argument"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
       "501 unsupported"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501 unsupported"},
      {"PUT /objects/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400 invalid_argument"},
      {"PUT /objects/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
       "400 invalid_argument"},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "417 invalid_argument"},
  };
  for (const auto& [bytes, outcome] : rows) {
    HttpClient client = Connect();
    ASSERT_TRUE(client.Send(bytes));
    EXPECT_EQ(client.Receive().Outcome(), outcome) << bytes;
  }
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_EQ(Stats().objects, 0u);
}

TEST_F(HttpLimits, OlderHttpAndOtherForms) {
  StartServer();
  HttpClient once = Connect();
  ASSERT_TRUE(once.Send("GET /healthz HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(once.Receive().Header("connection"), "close");
  EXPECT_TRUE(once.AtEnd());
  HttpClient kept = Connect();
  ASSERT_TRUE(kept.Send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_EQ(kept.Receive().Header("connection"), "keep-alive");
  EXPECT_EQ(kept.Ask("GET http://x:80/healthz").status, 200);
  EXPECT_EQ(kept.Ask("GET /healthz", "a body that nobody wants").status, 200);
  EXPECT_EQ(kept.Ask("GET /healthz", "", "Connection: close\r\n").status, 200);
  EXPECT_TRUE(kept.AtEnd());
}

TEST_F(HttpLimits, Token) {
  std::string logged;
  StartServer(
      {.token = "s3cret", .log = [&](absl::string_view line) { absl::StrAppend(&logged, line); }});
  HttpClient client = Connect();
  const HttpReply refused = client.Ask("GET /stats");
  EXPECT_EQ(refused.Outcome(), "401 permission_denied");
  EXPECT_EQ(refused.Header("www-authenticate"), "Bearer");
  EXPECT_EQ(client.Ask("GET /healthz").status, 200);
  EXPECT_EQ(client.Ask("GET /stats", "", "Authorization: Bearer s3cret\r\n").status, 200);
  EXPECT_EQ(client.Ask("GET /stats", "", "Authorization: bearer s3cret\r\n").status, 200);
  for (const char* wrong : {"Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Bearer s3creT",
                            "Basic s3cret", "s3cret"}) {
    EXPECT_EQ(client.Ask("GET /stats", "", absl::StrCat("Authorization: ", wrong, "\r\n")).status,
              401)
        << wrong;
  }
  EXPECT_EQ(client.Ask("PUT /objects/a", "x").status, 401);
  EXPECT_EQ(client.Ask("POST /acquire", R"({"intent":"create"})").status, 401);
  EXPECT_EQ(client.Ask("GET /nowhere").status, 401);
  // A token in a trailer is none.
  ASSERT_TRUE(
      client.Send("PUT /objects/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0\r\nAuthorization: Bearer s3cret\r\n\r\n"));
  EXPECT_EQ(client.Receive().status, 401);
  EXPECT_EQ(Stats().objects, 0u);
  EXPECT_THAT(logged, Not(HasSubstr("s3cret")));
}

// A page in a browser can make requests to loopback; without a token nobody else stops it.
TEST_F(HttpLimits, PagesInBrowsersAreRefused) {
  StartServer();
  EXPECT_EQ(
      Connect().Ask("POST /acquire", R"({"intent":"create"})", "Origin: http://evil\r\n").Outcome(),
      "403 permission_denied");
}

TEST(HttpStart, BeyondLoopbackItWantsAToken) {
  const auto peer = MakeMemoryPeer();
  for (const char* host : {"0.0.0.0", "::"}) {
    const auto refused = HttpServer::Start(*peer, {.host = host, .port = 0});
    EXPECT_THAT(refused, HasKind(ErrorKind::kInvalidArgument)) << host;
    EXPECT_THAT(refused.status().message(), HasSubstr("--token-file"));
  }
  EXPECT_THAT(HttpServer::Start(*peer, {.host = "0.0.0.0", .port = 0, .insecure = true}), IsOk());
  EXPECT_THAT(HttpServer::Start(*peer, {.host = "0.0.0.0", .port = 0, .token = "t"}), IsOk());
  EXPECT_THAT(HttpServer::Start(*peer, {.host = "localhost", .port = 0}), IsOk());
}

TEST(HttpStart, WhatCannotBe) {
  const auto peer = MakeMemoryPeer();
  EXPECT_THAT(HttpServer::Start(*peer, {.host = "nowhere.example"}),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(HttpServer::Start(*peer, {.port = 0, .token = "a b"}),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(HttpServer::Start(*peer, {.port = 0, .tls_cert = "/x"}),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(HttpServer::Start(*peer, {.port = 0, .tls_cert = "/x", .tls_key = "/x"}),
              HasKind(ErrorKind::kNotFound));
  ASSERT_OK_AND_ASSIGN(const auto first, HttpServer::Start(*peer, {.port = 0}));
  EXPECT_THAT(HttpServer::Start(*peer, {.port = first->port()}), HasKind(ErrorKind::kBusy));
  EXPECT_EQ(first->url(), absl::StrCat("http://127.0.0.1:", first->port()));
}

}  // namespace
}  // namespace packice
