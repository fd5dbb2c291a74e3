// HTTP clients that are slow, deaf, or come in thousands: others are served meanwhile, and nothing
// is left of any of it.
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "certificate.h"
#include "http_node_test.h"

namespace packice {
namespace {

// A test's patience with the slow: long enough for the node to be on time on a busy machine.
constexpr absl::Duration kShort = absl::Milliseconds(200);

void LimitDescriptors(rlim_t count) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(count, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

class HttpCrowd : public HttpNodeTest {};

// ---- Slow ----

// Whether the node has cut it off. What it sent is dropped, and a little more is sent.
bool IsCutOff(HttpClient& client, absl::string_view drop) {
  char bytes[4096];
  ssize_t n;
  while ((n = recv(client.socket(), bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
  }
  if (n == 0 || errno == ECONNRESET) return true;
  return send(client.socket(), drop.data(), drop.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
         errno != EAGAIN;
}

TEST_F(HttpCrowd, TheSlowAreCutOffAndOthersServed) {
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
  std::vector<bool> cut_off(clients.size(), false);
  // All of them drip meanwhile.
  EXPECT_TRUE(Eventually(
      [&] {
        for (size_t i = 0; i < clients.size(); ++i) {
          if (!cut_off[i]) cut_off[i] = IsCutOff(clients[i].second, clients[i].first->goes_on);
        }
        EXPECT_EQ(AskHttp("GET /stats").status, 200);
        return std::find(cut_off.begin(), cut_off.end(), false) == cut_off.end();
      },
      absl::Seconds(10) * kSlowdown));
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_TRUE(cut_off[i]) << clients[i].first->what;
  EXPECT_TRUE(IsAsBefore()) << "while the clients are still there";
}

// ---- Deaf ----

TEST_F(HttpCrowd, AClientThatNeverReadsIsCutOffAndTakesLittleMemory) {
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
        const ssize_t n =
            send(deaf.socket(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return errno == EPIPE || errno == ECONNRESET;
        sent = (sent + static_cast<size_t>(n)) % request.size();
      }
      return false;
    });
    EXPECT_TRUE(cut_off) << what;
    EXPECT_TRUE(Has(filled)) << what << ", while the client is still there";
  }
  // A sanitizer keeps what is freed for a while.
  if (kSlowdown == 1) {
    EXPECT_LT(node().PrivateBytes() - memory, 16 << 20);
  }
}

// ---- Many ----

TEST_F(HttpCrowd, TenThousandConnectionsOpenedAndAbandoned) {
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

TEST_F(HttpCrowd, ConnectionsBeyondTheLimitAreRefusedWithCapacity) {
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

TEST_F(HttpCrowd, TransfersBeyondTheLimitAreRefusedWithCapacity) {
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

TEST_F(HttpCrowd, WithoutDescriptorsConnectionsAreServedOrRefused) {
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

class HttpsCrowd : public HttpCrowd {
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
    std::string body(2, '\x03');  // a version, then 32 random bytes
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

TEST_F(HttpsCrowd, WhatIsNoHandshakeEndsTheConnection) {
  const std::string hello = ClientHello();
  std::vector<std::string> openings = {HttpClient::Text("GET /healthz"),
                                       "\r\n\r\n",
                                       "hello\n",
                                       std::string(1000, '\0'),
                                       std::string(1000, '\xff'),
                                       std::string(100000, 'x'),
                                       "\x16\x03\x01\xff\xff" + std::string(70000, 'x'),
                                       std::string("\x15\x03\x01\0\x02\x02\x28", 7),
                                       std::string("\x17\x03\x03\0\x01x", 6),
                                       std::string("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10", 11),
                                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  // A hello with a wrong byte.
  for (size_t i = 0; i < hello.size(); ++i) {
    openings.push_back(hello);
    openings.back()[i] = static_cast<char>(openings.back()[i] ^ 0x55);
  }
  for (const std::string& opening : openings) {
    HttpClient client = ConnectHttp();
    client.Send(opening);
    EXPECT_TRUE(Eventually([&] { return IsCutOff(client, ""); }));
  }
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(HttpsCrowd, AHandshakeThatIsNeverFinishedIsCutOff) {
  const std::string hello = ClientHello();
  std::vector<HttpClient> clients;
  for (size_t i = 0; i < 100; ++i) {
    clients.push_back(ConnectHttp());
    clients.back().Send(hello.substr(0, i % hello.size()));
  }
  for (HttpClient& client : clients) EXPECT_TRUE(Eventually([&] { return IsCutOff(client, ""); }));
  EXPECT_TRUE(IsAsBefore()) << "while the clients are still there";
}

}  // namespace
}  // namespace packice
