// HTTP clients that go away at every stage, are slow, deaf, or come in thousands: others are served
// meanwhile, and nothing is left of any of it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http_node_test.h"
#include "test_certificate.h"

namespace packice {
namespace {

constexpr size_t kLarge = 64 << 20;
// A test's patience with the slow: long enough for the node to be on time on a busy machine.
constexpr absl::Duration kShort = absl::Milliseconds(200);

void LimitDescriptors(rlim_t count) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(count, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string PutHead(absl::string_view id, absl::string_view headers) {
  return absl::StrCat("PUT /objects/", id, " HTTP/1.1\r\nHost: x\r\n", headers, "\r\n");
}

class HttpFaults : public HttpNodeTest {
 protected:
  // With an object that is larger than all that the kernel keeps of it on the way.
  void StartWithLargeObject(NodeFlags flags = {}) {
    StartHttpNode(std::move(flags));
    ASSERT_EQ(AskHttp("PUT /objects/large", std::string(kLarge, 'x')).status, 201);
    with_object_ = FiguresAlone();
  }

  Figures with_object_;
};

// ---- Gone ----

// What a client does before it goes.
struct Stage {
  const char* what;
  std::function<void(HttpClient&)> deed;
};

std::function<void(HttpClient&)> Sends(std::string bytes) {
  return [bytes = std::move(bytes)](HttpClient& client) { client.Send(bytes); };
}
std::function<void(HttpClient&)> SendsAndReads(std::string bytes, size_t size) {
  return [bytes = std::move(bytes), size](HttpClient& client) {
    client.Send(bytes);
    std::string got(size, '\0');
    EXPECT_EQ(recv(client.socket(), got.data(), got.size(), MSG_WAITALL),
              static_cast<ssize_t>(size));
  };
}

std::vector<Stage> Stages() {
  const std::string megabyte(1 << 20, 'y');
  const std::string sized = PutHead("a", "Content-Length: 10000000\r\n");
  const std::string chunked = PutHead("a", "Transfer-Encoding: chunked\r\n");
  const std::string waits = PutHead("a", "Expect: 100-continue\r\nContent-Length: 1000\r\n");
  const std::string get = HttpClient::Text("GET /objects/large/data");
  const size_t go_on = std::string("HTTP/1.1 100 Continue\r\n\r\n").size();
  return {
      {"nothing", Sends("")},
      {"half a request line", Sends("PUT /obj")},
      {"half a head", Sends("PUT /objects/a HTTP/1.1\r\nHost: x\r\nConte")},
      {"the head of a PUT", Sends(sized)},
      {"a byte of a body", Sends(sized + "y")},
      {"some of a body", Sends(sized + megabyte)},
      {"all but a byte of a body", Sends(PutHead("a", "Content-Length: 1048577\r\n") + megabyte)},
      {"a chunked head", Sends(chunked)},
      {"half the size of a chunk", Sends(chunked + "10")},
      {"half a chunk", Sends(chunked + "200000\r\n" + megabyte)},
      {"a chunk", Sends(chunked + "100000\r\n" + megabyte + "\r\n")},
      {"all but the end of the last chunk", Sends(chunked + "1\r\ny\r\n0\r\n")},
      {"all but the end of a trailer", Sends(chunked + "1\r\ny\r\n0\r\nA: b\r\n")},
      {"a head that waits for its turn", Sends(waits)},
      {"a head that has had its turn", SendsAndReads(waits, go_on)},
      {"half a body after its turn",
       [=](HttpClient& client) {
         SendsAndReads(waits, go_on)(client);
         client.Send(std::string(500, 'y'));
       }},
      {"a refused body",
       Sends(absl::StrCat("PUT /objects/large HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
                          megabyte))},
      {"a GET whose answer is not read", Sends(get)},
      {"a GET of which a part is read", SendsAndReads(get, 5 << 20)},
      {"many GETs whose answers are not read", Sends(absl::StrCat(get, get, get, get, get, get))},
      {"a GET of a part", Sends(HttpClient::Text("GET /objects/large/data", "",
                                                 "Range: bytes=1000000-60000000\r\n"))},
      {"half a POST",
       Sends("POST /acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"intent\":")},
      {"the head of a chunked POST",
       Sends("POST /acquire HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"i")},
      {"a POST whose answer is not read",
       Sends(HttpClient::Text(
           "POST /acquire", R"({"intent":"read","object_id":"large","ttl_seconds":0.05})"))},
      {"a create whose answer is not read",
       Sends(HttpClient::Text(
           "POST /acquire", R"({"intent":"create","object_id":"a","ttl_seconds":0.05})"))},
      {"many questions", [](HttpClient& client) {
         std::string questions;
         for (int i = 0; i < 1000; ++i) questions += HttpClient::Text("GET /stats");
         client.Send(questions);
       }},
  };
}

// Each way of going: a close, a reset, and half a close, after which the node finds for itself that
// no more can come.
TEST_F(HttpFaults, OfAClientThatGoesNothingIsLeftAtWhateverStage) {
  StartWithLargeObject();
  for (const Stage& stage : Stages()) {
    SCOPED_TRACE(stage.what);
    {
      HttpClient closing = ConnectHttp();
      stage.deed(closing);
    }
    EXPECT_TRUE(Has(with_object_));
    HttpClient resetting = ConnectHttp();
    stage.deed(resetting);
    resetting.Reset();
    EXPECT_TRUE(Has(with_object_));
    HttpClient half = ConnectHttp();
    stage.deed(half);
    half.FinishSending();
    char bytes[65536];
    while (recv(half.socket(), bytes, sizeof(bytes), 0) > 0) {
    }
    half.Close();
    EXPECT_TRUE(Has(with_object_));
    EXPECT_EQ(AskHttp("GET /objects/a").Outcome(), "404 not_found");
    EXPECT_EQ(AskHttp("GET /healthz").status, 200);
    EXPECT_TRUE(Has(with_object_));
  }
}

TEST_F(HttpFaults, OfAClientKilledInTheMiddleOfAPutNothingIsLeftWithinASecond) {
  StartHttpNode();
  const uint16_t port = node().http_port();
  ChildProcess writer = ChildProcess::Fork([port] {
    static HttpClient* client = new HttpClient(port);
    client->Send(PutHead("a", absl::StrCat("Content-Length: ", kLarge, "\r\n")));
    client->Send(std::string(kLarge / 2, 'x'));
  });
  ASSERT_EQ(writer.ReadLine(), "ready");
  EXPECT_EQ(FiguresOf(watcher()).creating, 1);
  EXPECT_EQ(AskHttp("GET /objects/a/data").Outcome(), "409 not_sealed");
  EXPECT_EQ(AskHttp("PUT /objects/a", "x").Outcome(), "423 busy");
  writer.Kill();
  EXPECT_TRUE(IsAsBefore(kAtOnce));
  EXPECT_EQ(AskHttp("PUT /objects/a", "the id is free").status, 201);
}

TEST_F(HttpFaults, APutToALeaseCanBeMadeAnewAfterItBroke) {
  StartHttpNode();
  const HttpReply created = AskHttp(
      "POST /acquire", R"({"intent":"create","object_id":"a","size":1000000,"ttl_seconds":600})");
  const std::string lease = created.Json().Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string what = absl::StrCat("PUT /leases/", lease, "/blobs/0");
  const std::string request = HttpClient::Text(what, std::string(1000000, 'x'));
  for (const size_t sent : {size_t{0}, size_t{10}, size_t{100}, size_t{1000}, size_t{900000},
                            request.size() - 1}) {
    HttpClient client = ConnectHttp();
    client.Send(absl::string_view(request).substr(0, sent));
    client.Reset();
    EXPECT_TRUE(Has(creating)) << sent;
  }
  EXPECT_EQ(AskHttp(what, std::string(1000000, 'y')).status, 200);
  EXPECT_EQ(AskHttp("POST /seal", absl::StrCat(R"({"lease_id":")", lease, "\"}")).status, 200);
  EXPECT_EQ(AskHttp("GET /objects/a/data").body, std::string(1000000, 'y'));
  EXPECT_EQ(AskHttp("POST /release", absl::StrCat(R"({"lease_id":")", lease, "\"}")).status, 200);
}

TEST_F(HttpFaults, AClientThatIsGoneWaitsForNothing) {
  StartHttpNode();
  const std::string lease =
      AskHttp("POST /acquire", R"({"intent":"create","object_id":"a","size":1,"ttl_seconds":600})")
          .Json()
          .Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string waits = HttpClient::Text(
      "POST /acquire", R"({"intent":"read","object_id":"a","wait_seconds":600,"ttl_seconds":600})");
  const std::string batch = HttpClient::Text(
      "POST /batch", absl::StrCat(R"({"requests":[{"op":"acquire","intent":"read","object_id":"a",)",
                                  R"("wait_seconds":600,"ttl_seconds":600}]})"));
  for (const std::string& request : {waits, batch}) {
    for (const char* way : {"close", "reset", "killed"}) {
      SCOPED_TRACE(way);
      if (way == absl::string_view("killed")) {
        const uint16_t port = node().http_port();
        ChildProcess reader = ChildProcess::Fork([port, request] {
          static HttpClient* client = new HttpClient(port);
          client->Send(request);
        });
        ASSERT_EQ(reader.ReadLine(), "ready");
        ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 1; }));
        reader.Kill();
      } else {
        HttpClient reader = ConnectHttp();
        reader.Send(request);
        ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 1; }));
        if (way == absl::string_view("reset")) reader.Reset();
      }
      EXPECT_TRUE(Has(creating));
    }
  }
  AskHttp("POST /seal", absl::StrCat(R"({"lease_id":")", lease, "\"}"));
  AskHttp("POST /release", absl::StrCat(R"({"lease_id":")", lease, "\"}"));
  EXPECT_EQ(FiguresAlone().reads, 0);
}

TEST_F(HttpFaults, WhoHasSentAllOfARequestMayCloseHalfAndGetsTheAnswer) {
  StartWithLargeObject();
  const auto answer = [&](const std::string& request) {
    HttpClient client = ConnectHttp();
    client.Send(request);
    client.FinishSending();
    const HttpReply reply = client.Receive();
    EXPECT_TRUE(client.AtEnd());
    return reply;
  };
  EXPECT_EQ(answer(HttpClient::Text("GET /stats")).status, 200);
  EXPECT_EQ(answer(HttpClient::Text("PUT /objects/a", std::string(1 << 20, 'y'))).status, 201);
  EXPECT_EQ(answer(HttpClient::Text("GET /objects/large/data")).body.size(), kLarge);
  EXPECT_EQ(answer(HttpClient::Text("POST /acquire", R"({"intent":"read","object_id":"x"})")).status,
            404);
}

// ---- Slow ----

// Until the node cuts it off. What it sends meanwhile comes to nothing.
bool IsCutOff(HttpClient& client, absl::string_view drop) {
  return Eventually([&] {
    char byte;
    if (recv(client.socket(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0) return true;
    if (errno == ECONNRESET) return true;
    char bytes[4096];
    while (recv(client.socket(), bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    return send(client.socket(), drop.data(), drop.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
           errno != EAGAIN;
  });
}

TEST_F(HttpFaults, TheSlowAreCutOffAndOthersServed) {
  NodeFlags flags;
  flags.idle_timeout = flags.header_timeout = flags.stall_timeout = kShort;
  StartHttpNode(flags);
  struct Loris {
    const char* what;
    std::string begins;
    std::string goes_on;
  };
  const Loris kinds[] = {
      {"silent", "", ""},
      {"between requests", HttpClient::Text("GET /stats"), ""},
      {"empty lines", "", "\r\n"},
      {"the request line", "G", "E"},
      {"headers", "GET /stats HTTP/1.1\r\n", "A: b\r\n"},
      {"headers behind a request", HttpClient::Text("GET /stats") + "GET /stats HTTP/1.1\r\n", "A"},
      {"a body", PutHead("a", "Content-Length: 1000000\r\n"), "y"},
      {"a body that never comes", PutHead("b", "Content-Length: 1000000\r\n"), ""},
      {"a body after its turn", PutHead("c", "Expect: 100-continue\r\nContent-Length: 9\r\n"), ""},
      {"chunks", PutHead("d", "Transfer-Encoding: chunked\r\n"), "1\r\ny\r\n"},
      {"the size of a chunk", PutHead("e", "Transfer-Encoding: chunked\r\n"), "0"},
      {"an unwanted body", "GET /stats HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", "y"},
      {"JSON", "POST /acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", " "},
  };
  std::vector<std::pair<const Loris*, HttpClient>> clients;
  for (const Loris& kind : kinds) {
    for (int i = 0; i < 10; ++i) {
      clients.emplace_back(&kind, ConnectHttp());
      clients.back().second.Send(kind.begins);
    }
  }
  const absl::Time start = absl::Now();
  for (auto& [kind, client] : clients) {
    EXPECT_TRUE(IsCutOff(client, kind->goes_on)) << kind->what;
    EXPECT_EQ(AskHttp("GET /stats").status, 200);
  }
  EXPECT_LT(absl::Now() - start, absl::Seconds(10) * kSlowdown);
  EXPECT_TRUE(IsAsBefore()) << "while the clients are still there";
}

// ---- Deaf ----

TEST_F(HttpFaults, AClientThatNeverReadsIsCutOffAndTakesLittleMemory) {
  NodeFlags flags;
  flags.stall_timeout = kShort;
  StartWithLargeObject(flags);
  HttpClient filling = ConnectHttp();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(filling.Ask(absl::StrCat("PUT /objects/", i), "x").status, 201);
  }
  filling.Close();
  const Figures filled = FiguresAlone();
  const int64_t memory = node().PrivateBytes();
  for (const char* what : {"GET /objects?limit=10000", "GET /objects/large/data", "GET /metrics",
                           "GET /nowhere", "POST /release"}) {
    const std::string request = HttpClient::Text(what, "");
    HttpClient deaf = ConnectHttp();
    size_t sent = 0;
    const bool cut_off = Eventually([&] {
      EXPECT_EQ(AskHttp("GET /healthz").status, 200);
      for (int i = 0; i < 1000; ++i) {
        const absl::string_view rest = absl::string_view(request).substr(sent);
        const ssize_t n = send(deaf.socket(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return errno == EPIPE || errno == ECONNRESET;
        sent = (sent + static_cast<size_t>(n)) % request.size();
      }
      return false;
    });
    EXPECT_TRUE(cut_off) << what;
    EXPECT_TRUE(Has(filled)) << what << ", while the client is still there";
  }
  EXPECT_LT(node().PrivateBytes() - memory, (16 << 20) * kSlowdown);
}

// ---- Many ----

TEST_F(HttpFaults, TenThousandConnectionsOpenedAndAbandoned) {
  LimitDescriptors(RLIM_INFINITY);
  constexpr int kCount = 10000 / kSlowdown;
  NodeFlags flags;
  flags.max_connections = 12000;
  StartHttpNode(flags);
  const uint16_t port = node().http_port();
  // One in another process, which is killed with all of them; one that resets each; one that leaves
  // it to the kernel.
  const auto open = [port] {
    static std::vector<HttpClient>* clients = new std::vector<HttpClient>;
    const std::string stages[] = {"", "PUT /obje", HttpClient::Text("GET /stats"),
                                  PutHead("a", "Content-Length: 1000\r\n"),
                                  PutHead("b", "Content-Length: 1000\r\n") + "some"};
    for (int i = 0; i < kCount; ++i) {
      clients->emplace_back(port);
      clients->back().Send(stages[static_cast<size_t>(i) % std::size(stages)]);
    }
  };
  ChildProcess crowd = ChildProcess::Fork(open);
  ASSERT_EQ(crowd.ReadLine(), "ready");
  EXPECT_TRUE(Eventually([&] { return FiguresOf(watcher()).connections == kCount + 1; }));
  EXPECT_EQ(AskHttp("GET /healthz").status, 200) << "beside all of them";
  crowd.Kill();
  EXPECT_TRUE(IsAsBefore());
  for (int i = 0; i < kCount; ++i) {
    HttpClient client = ConnectHttp();
    client.Reset();
  }
  EXPECT_TRUE(IsAsBefore());
  EXPECT_EQ(AskHttp("PUT /objects/a", "bytes").status, 201);
}

TEST_F(HttpFaults, ConnectionsBeyondTheLimitAreRefusedWithCapacity) {
  LimitDescriptors(RLIM_INFINITY);
  NodeFlags flags;
  flags.max_connections = 100;
  StartHttpNode(flags);
  {
    std::vector<HttpClient> clients;
    for (int i = 0; i < 2000; ++i) clients.push_back(ConnectHttp());
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i].Send(HttpClient::Text("GET /healthz"));  // which may meet a closed connection
      ASSERT_EQ(clients[i].Receive().Outcome(), i < 100 ? "200 ok" : "503 capacity") << i;
    }
    EXPECT_TRUE(clients.back().AtEnd());
  }
  EXPECT_TRUE(IsAsBefore());
  EXPECT_EQ(AskHttp("GET /healthz").status, 200);
}

TEST_F(HttpFaults, TransfersBeyondTheLimitAreRefusedWithCapacity) {
  NodeFlags flags;
  flags.max_in_flight = 10;
  StartWithLargeObject(flags);
  // Twice: nothing of the first time is counted the second time.
  for (int round = 0; round < 2; ++round) {
    std::vector<HttpClient> clients;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(ConnectHttp());
      clients.back().Send(i % 2 == 0 ? HttpClient::Text("GET /objects/large/data")
                                     : PutHead(absl::StrCat(i), "Content-Length: 1000\r\n"));
    }
    EXPECT_TRUE(Eventually([&] {
      const Figures now = FiguresOf(watcher());
      return now.reads == 5 && now.creates == 5;
    }));
    EXPECT_TRUE(Eventually([&] { return AskHttp("GET /stats").Outcome() == "503 capacity"; }));
    EXPECT_EQ(AskHttp("PUT /objects/a", "x").Outcome(), "503 capacity");
    EXPECT_EQ(AskHttp("POST /acquire", R"({"intent":"create"})").Outcome(), "503 capacity");
    clients.pop_back();
    EXPECT_TRUE(Eventually([&] { return AskHttp("GET /stats").status == 200; }));
    clients.clear();
    EXPECT_TRUE(Has(with_object_));
  }
}

TEST_F(HttpFaults, WithoutDescriptorsConnectionsAreServedOrRefused) {
  if (!kCanRunOutOfDescriptors) GTEST_SKIP() << "the sanitizer needs descriptors itself";
  LimitDescriptors(RLIM_INFINITY);
  NodeFlags flags;
  flags.descriptors = 128;
  StartHttpNode(flags);
  {
    std::vector<HttpClient> clients;
    for (int i = 0; i < 1000; ++i) clients.push_back(ConnectHttp());
    size_t served = 0;
    for (HttpClient& client : clients) {
      client.Send(HttpClient::Text("GET /healthz"));
      const std::string outcome = client.Receive().Outcome();
      served += outcome == "200 ok" ? 1 : 0;
      ASSERT_THAT(outcome, testing::AnyOf("200 ok", "503 capacity"));
    }
    EXPECT_GT(served, 64u);
    EXPECT_LT(served, 128u);
  }
  EXPECT_TRUE(IsAsBefore());
  EXPECT_EQ(AskHttp("PUT /objects/a", std::string(1 << 20, 'x')).status, 201);
}

// ---- Over TLS ----

class HttpsFaults : public HttpFaults {
 protected:
  void SetUp() override {
    MakeCertificate(directory_ / "cert", directory_ / "key");
    NodeFlags flags;
    flags.tls_cert = directory_ / "cert";
    flags.tls_key = directory_ / "key";
    flags.header_timeout = flags.idle_timeout = flags.stall_timeout = kShort;
    StartHttpNode(flags);
  }

  // The start of a handshake, as a client would send it.
  static std::string ClientHello() {
    std::string body(2, '\x03');                  // a version, then 32 random bytes
    body += std::string(32, 'r');
    body += std::string("\0\0\x02\x13\x01\x01\0", 7);  // no session, one cipher, no compression
    const auto sized = [](char type, absl::string_view version, size_t bytes, size_t size) {
      std::string head = absl::StrCat(std::string(1, type), version);
      for (size_t i = bytes; i > 0; --i) head.push_back(static_cast<char>(size >> (8 * (i - 1))));
      return head;
    };
    const std::string message = sized('\x01', "", 3, body.size()) + body;
    return sized('\x16', "\x03\x01", 2, message.size()) + message;
  }
};

TEST_F(HttpsFaults, WhatIsNoHandshakeEndsTheConnection) {
  const std::string hello = ClientHello();
  std::vector<std::string> openings = {
      HttpClient::Text("GET /healthz"), "\r\n\r\n", "hello\n", std::string(1000, '\0'),
      std::string(1000, '\xff'), std::string(100000, 'x'), "\x16\x03\x01\xff\xff" + std::string(70000, 'x'),
      std::string("\x15\x03\x01\0\x02\x02\x28", 7), std::string("\x17\x03\x03\0\x01x", 6),
      std::string("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10", 11), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  // A hello with a wrong byte.
  for (size_t i = 0; i < hello.size(); ++i) {
    openings.push_back(hello);
    openings.back()[i] = static_cast<char>(openings.back()[i] ^ 0x55);
  }
  for (const std::string& opening : openings) {
    HttpClient client = ConnectHttp();
    client.Send(opening);
    EXPECT_TRUE(IsCutOff(client, ""));
  }
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(HttpsFaults, AHandshakeThatIsNeverFinishedIsCutOff) {
  const std::string hello = ClientHello();
  std::vector<HttpClient> clients;
  for (size_t i = 0; i < 100; ++i) {
    clients.push_back(ConnectHttp());
    clients.back().Send(hello.substr(0, i % hello.size()));
  }
  for (HttpClient& client : clients) EXPECT_TRUE(IsCutOff(client, ""));
  EXPECT_TRUE(IsAsBefore()) << "while the clients are still there";
}

}  // namespace
}  // namespace packice
