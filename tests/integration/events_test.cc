// What a node tells of what happens on it, over both transports: docs/protocol.md, "events".
#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "http_test.h"
#include "packice/core/event_ring.h"
#include "packice/core/testing/pending.h"
#include "packice/transport/http_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

using Page = absl::StatusOr<EventPage>;

// A response that comes in pieces, as it comes.
class Stream {
 public:
  explicit Stream(HttpClient& client) : client_(client) {}

  // Blocks until all of it so far holds the text; what came instead, if it does not.
  std::string Until(absl::string_view text) {
    while (!absl::StrContains(got_, text) && ReadMore()) {
    }
    return got_;
  }
  // Of an answer that has ended, also when the connection goes on.
  bool AtEnd() { return absl::EndsWith(Until("\r\n0\r\n\r\n"), "\r\n0\r\n\r\n"); }

 private:
  bool ReadMore() {
    pollfd ready = {client_.socket(), POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) != 1) return false;
    char bytes[4096];
    const ssize_t n = recv(client_.socket(), bytes, sizeof(bytes), 0);
    if (n > 0) got_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  HttpClient& client_;
  std::string got_;
};

class EventsTest : public HttpTest {
 protected:
  EventsTest() { Start(EventRingOptions()); }

  void Start(EventRingOptions ring) {
    events_ = std::make_shared<EventRing>(ring);
    LocalPeerOptions options;
    options.events = events_.get();
    server_.reset();
    uds_.reset();
    peer_ = MakeMemoryPeer(std::move(options));
    Serve(events_);
  }
  void Serve(std::shared_ptr<EventRing> events) {
    server_.reset();
    uds_.reset();
    HttpServerOptions http;
    http.events = events;
    StartServer(std::move(http));
    UdsServerOptions uds;
    uds.path = directory_ / "socket";
    uds.events = events;
    ASSERT_OK_AND_ASSIGN(uds_, UdsServer::Start(*peer_, uds));
  }
  ~EventsTest() override {
    server_.reset();
    uds_.reset();
    EXPECT_EQ(events_->waiting(), 0u);
  }

  RawClient ConnectUds() { return RawClient(uds_->path()); }
  void PutObject(const std::string& id) {
    HttpClient client = Connect();
    EXPECT_EQ(client.Ask("PUT /objects/" + id, "bytes").status, 201);
  }
  testing::AssertionResult Waiting(size_t count) {
    if (Eventually([&] { return events_->waiting() == count; })) return testing::AssertionSuccess();
    return testing::AssertionFailure() << events_->waiting() << " wait";
  }

  TemporaryDirectory directory_;
  std::shared_ptr<EventRing> events_;
  std::unique_ptr<UdsServer> uds_;
};

TEST_F(EventsTest, ALineForEach) {
  PutObject("a");
  const HttpReply reply = Connect().Ask("GET /events");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("content-type"), "application/x-ndjson");
  EXPECT_EQ(reply.Header("packice-next"), "2");
  EXPECT_THAT(reply.body,
              MatchesRegex("\\{\"seq\":1,\"time\":\"[^\"]*Z\",\"kind\":\"created\",\"object_id\":"
                           "\"a\",\"size\":5,\"operation\":[0-9]*\\}\n"
                           "\\{\"seq\":2,\"time\":\"[^\"]*Z\",\"kind\":\"sealed\",\"object_id\":"
                           "\"a\",\"size\":5,\"operation\":[0-9]*\\}\n"));
  EXPECT_EQ(Connect().Ask("GET /events?after=2").body, "");
  EXPECT_EQ(Connect().Ask("HEAD /events").status, 200);
}

TEST_F(EventsTest, BothTransportsTellTheSame) {
  PutObject("a");
  for (const std::string body :
       {"{}", "{\"after\":1}", "{\"limit\":1}", "{\"limit\":0}", "{\"kinds\":[\"sealed\"]}",
        "{\"kinds\":[\"read\"],\"wait_seconds\":0.01}", "{\"after\":3}", "{\"kinds\":[\"x\"]}",
        "{\"limit\":10001}"}) {
    const std::string comma = body == "{}" ? "" : ",";
    const Response line = ConnectUds().Ask("{\"op\":\"events\"" + comma + body.substr(1));
    EXPECT_EQ(Connect().Ask("POST /events", body).body, line.line + "\n") << body;
    EXPECT_FALSE(line.line.empty());
  }
}

TEST_F(EventsTest, AWaitEndsWithTheNextEvent) {
  ASSERT_OK_AND_ASSIGN(auto uds, UdsPeer::Connect({.path = uds_->path()}));
  HttpPeerOptions options;
  options.url = server_->url();
  ASSERT_OK_AND_ASSIGN(auto http, HttpPeer::Connect(options));
  Pending<Page> by_uds, by_http;
  EventsRequest request;
  request.kinds = EventKinds::None().With(EventKind::kSealed);
  request.wait = absl::Seconds(300);
  uds->Events(request, by_uds.Callback());
  http->Events(request, by_http.Callback());
  ASSERT_TRUE(Waiting(2));
  // The same connection goes on meanwhile.
  EXPECT_THAT(blocking::Stats(*uds), IsOk());
  PutObject("a");
  for (const Pending<Page>* pending : {&by_uds, &by_http}) {
    const Page page = pending->Wait();
    ASSERT_THAT(page, IsOk());
    ASSERT_EQ(page->events.size(), 1u);
    EXPECT_EQ(page->events[0].kind, EventKind::kSealed);
    EXPECT_EQ(page->events[0].object_id.bytes(), "a");
    EXPECT_EQ(page->next, 2u);
  }
}

TEST_F(EventsTest, AWaitEndsWhenItsTimeIsOver) {
  const std::string ask = R"({"op":"events","wait_seconds":0.02})";
  EXPECT_EQ(ConnectUds().Ask(ask).line, R"({"events":[],"next":0})");
  EXPECT_EQ(Connect().Ask("POST /events", ask).body, "{\"events\":[],\"next\":0}\n");
  EXPECT_EQ(Connect().Ask("GET /events?wait_seconds=0.02").body, "");
}

// A batch is answered as a whole: what waited in it would hold up the rest.
TEST_F(EventsTest, NothingWaitsInABatch) {
  const std::string batch =
      R"({"op":"batch","requests":[{"op":"events","wait_seconds":300},{"op":"stats"}]})";
  EXPECT_THAT(ConnectUds().Ask(batch).line, HasSubstr(R"({"events":[],"next":0})"));
  EXPECT_THAT(Connect().Ask("POST /batch", batch).body, HasSubstr(R"({"events":[],"next":0})"));
}

TEST_F(EventsTest, AFollowerSeesThemAsTheyHappen) {
  PutObject("before");
  HttpClient client = Connect();
  ASSERT_TRUE(client.Send(HttpClient::Text("GET /events?follow=1&kinds=sealed,evicted")));
  Stream stream(client);
  EXPECT_THAT(stream.Until("\"before\""), HasSubstr("Transfer-Encoding: chunked\r\n"));
  for (const std::string id : {"one", "two"}) {
    ASSERT_TRUE(Waiting(1));
    PutObject(id);
    EXPECT_THAT(stream.Until("\"" + id + "\""),
                HasSubstr("\"kind\":\"sealed\",\"object_id\":\"" + id + "\""));
  }
  ASSERT_TRUE(Waiting(1));
  server_->Drain(absl::Seconds(60));
  EXPECT_TRUE(stream.AtEnd());
  EXPECT_THAT(stream.Until("\r\n0\r\n"), Not(HasSubstr("created")));
}

// A client of the older kind gets the lines as they are, to the end of the connection.
TEST_F(EventsTest, AFollowerOfHttp10) {
  PutObject("a");
  HttpClient client = Connect();
  ASSERT_TRUE(client.Send("GET /events?follow=1 HTTP/1.0\r\n\r\n"));
  Stream stream(client);
  EXPECT_THAT(stream.Until("\"sealed\""), Not(HasSubstr("chunked")));
  EXPECT_THAT(stream.Until("\"sealed\""), HasSubstr("Connection: close\r\n"));
}

// Reads cost nothing until somebody asks for them.
TEST_F(EventsTest, ReadsAreToldWhereSomebodyAsks) {
  PutObject("a");
  EXPECT_EQ(Connect().Ask("GET /objects/a/data").status, 200);
  EXPECT_EQ(Connect().Ask("GET /events?kinds=read").body, "");
  EXPECT_EQ(Connect().Ask("GET /objects/a/data").status, 200);
  EXPECT_THAT(Connect().Ask("GET /events?kinds=read").body,
              HasSubstr("\"kind\":\"read\",\"object_id\":\"a\",\"size\":5"));
  EXPECT_THAT(Connect().Ask("GET /events").body, Not(HasSubstr("\"read\"")));
}

TEST_F(EventsTest, WhatIsGoneIsSaid) {
  EventRingOptions options;
  options.capacity = 2;
  Start(options);
  for (const std::string id : {"a", "b"}) PutObject(id);
  EXPECT_EQ(Connect().Ask("GET /events?after=1").Outcome(), "410 retention_gap");
  EXPECT_EQ(Connect().Ask("GET /events?after=1&follow=1").Outcome(), "410 retention_gap");
  const Response line = ConnectUds().Ask(R"({"op":"events","after":1})");
  EXPECT_EQ(line.Kind(), "retention_gap");
  EXPECT_THAT(line.line, HasSubstr("go on after 2"));
  EXPECT_EQ(Connect().Ask("GET /events?after=2").status, 200);
}

TEST_F(EventsTest, ANodeThatKeepsNone) {
  Serve(nullptr);
  EXPECT_EQ(Connect().Ask("GET /events").Outcome(), "501 unsupported");
  EXPECT_EQ(Connect().Ask("GET /events?follow=1").Outcome(), "501 unsupported");
  EXPECT_EQ(ConnectUds().Ask(R"({"op":"events"})").Kind(), "unsupported");
}

TEST_F(EventsTest, WhatMakesNoSenseIsRefused) {
  for (const char* query :
       {"limit=x", "limit=10001", "limit=99999999999999999999", "after=-1", "after=1",
        "after=18446744073709551615", "after=18446744073709551616", "kinds=bogus",
        "kinds=sealed,,bogus", "kinds=%22", "wait_seconds=-1", "wait_seconds=1e99", "follow=2",
        "follow=yes", "follow=1&kinds=bogus", "follow=1&after=7", "follow=1&limit=-5"}) {
    EXPECT_EQ(Connect().Ask(absl::StrCat("GET /events?", query)).Outcome(), "400 invalid_argument")
        << query;
  }
  EXPECT_EQ(Connect().Ask("PUT /events").status, 405);
  EXPECT_EQ(Connect().Ask("GET /events?kinds=&limit=0&wait_seconds=100").status, 200);
}

// Whoever waits and goes away leaves nothing; more wait than may, and are told so.
TEST_F(EventsTest, ManyFollowersThatGoAway) {
  constexpr int kEach = 700;
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(ConnectUds());
    std::string lines;
    for (int seq = 0; seq < kEach; ++seq) {
      absl::StrAppend(&lines, R"({"op":"events","wait_seconds":3000,"seq":)", seq, "}\n");
    }
    ASSERT_TRUE(clients.back().Send(lines));
  }
  ASSERT_TRUE(Waiting(EventRingOptions().max_waiting));
  EXPECT_EQ(clients.back().Receive().Kind(), "capacity");
  for (int i = 0; i < 20; ++i) {
    HttpClient client = Connect();
    client.Send(HttpClient::Text("GET /events?follow=1"));
    client.Reset();
  }
  PutObject("a");
  clients.clear();
  EXPECT_TRUE(Waiting(0));
}

TEST_F(EventsTest, AFollowerThatVanishesIsNoticed) {
  std::vector<HttpClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back().Send(HttpClient::Text("GET /events?follow=1")));
  }
  ASSERT_TRUE(Waiting(50));
  for (size_t i = 0; i < clients.size(); i += 2) clients[i].Reset();
  EXPECT_TRUE(Waiting(25));
  clients.clear();
  EXPECT_TRUE(Waiting(0));
}

// One that takes nothing is cut off; the node goes on telling others.
TEST_F(EventsTest, AFollowerThatDoesNotReadIsCutOff) {
  auto metrics = std::make_shared<NodeMetrics>();
  HttpServerOptions options;
  options.events = events_;
  options.metrics = metrics;
  options.stall_timeout = absl::Milliseconds(200);
  StartServer(std::move(options));
  HttpClient lazy = Connect();
  ASSERT_TRUE(lazy.Send(HttpClient::Text("GET /events?follow=1")));
  ASSERT_TRUE(Waiting(1));
  const auto connections = [&] { return metrics->Stats(PeerStats()).connections; };
  ASSERT_EQ(connections(), 1u);
  const ObjectId id = *ObjectId::Parse(std::string(200, 'x'));
  EXPECT_TRUE(Eventually([&] {
    // As long as all was sent, so that nothing is forgotten before that.
    for (int i = 0; events_->waiting() > 0 || i % 1000 != 0; ++i) {
      events_->Publish(Event{EventKind::kSealed, OperationId{1}, id, 1});
    }
    return connections() == 0;
  }));
  EXPECT_EQ(Connect().Ask("GET /events?limit=1").status, 200);
}

}  // namespace
}  // namespace packice
