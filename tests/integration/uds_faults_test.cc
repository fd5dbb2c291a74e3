// Clients that die, do not listen, come in thousands, or find a node without descriptors: others
// are served meanwhile, and nothing is left of any of it.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/uds_peer.h"

namespace packice {
namespace {

constexpr char kHello[] = R"({"op":"hello","features":["positioned"]})";
constexpr char kStats[] = R"({"op":"stats"})";
// More than goes into a segment: such an object has a memfd of its own, which readers are handed.
const std::string kWithDescriptor(300 * 1000, 'x');

void LimitDescriptors(rlim_t count) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(count, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

class UdsFaults : public NodeTest {
 protected:
  // A process that is a client: it does `deed`, then does nothing until it is killed.
  ChildProcess StartClient(void (*deed)(RawClient& client)) {
    ChildProcess process = ChildProcess::Fork([this, deed] {
      static RawClient* client = new RawClient(path());
      deed(*client);
    });
    EXPECT_EQ(process.ReadLine(), "ready");
    return process;
  }
};

// ---- Killed ----

TEST_F(UdsFaults, OfAClientKilledWhileWritingNothingIsLeftWithinASecond) {
  StartNode();
  ChildProcess writer = StartClient([](RawClient& client) {
    static Response grant = client.Ask(CreateLine("a", 64 << 20));
    const std::string bytes(1 << 20, 'x');
    for (off_t at = 0; at < 32 << 20; at += static_cast<off_t>(bytes.size())) {
      ASSERT_GT(pwrite(grant.descriptors[0].get(), bytes.data(), bytes.size(), at), 0);
    }
  });
  const Figures meanwhile = FiguresOf(watcher());
  EXPECT_EQ(meanwhile.bytes, 64 << 20);
  EXPECT_EQ(meanwhile.creating, 1);
  writer.Kill();
  EXPECT_TRUE(IsAsBefore(kAtOnce));
  EXPECT_EQ(watcher().Ask(ReadLine("a")).Kind(), "not_found");
  Put(watcher(), "a", "the id is free");
}

TEST_F(UdsFaults, OfAClientKilledWhileWaitingNothingIsLeftWithinASecond) {
  StartNode();
  RawClient creator = Connect();
  const std::string lease = creator.Ask(CreateLine("a", 1)).Text("lease_id");
  ChildProcess reader = StartClient([](RawClient& client) {
    client.Send(R"({"op":"acquire","intent":"read","object_id":"a","wait_seconds":600,"seq":1})"
                "\n"
                R"({"op":"acquire","intent":"create","object_id":"a","wait_seconds":600})"
                "\n");
  });
  ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 2; }));
  reader.Kill();
  EXPECT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 0; }, kAtOnce));
  EXPECT_EQ(creator.Ask(LeaseLine("seal", lease)).Kind(), "ok");
  EXPECT_EQ(FiguresOf(watcher()).reads, 0);
}

TEST_F(UdsFaults, OfAClientKilledWithReadLeasesNothingIsLeftWithinASecond) {
  NodeFlags flags;
  flags.capacity = 1 << 20;
  StartNode(flags);
  Put(watcher(), "a", std::string(1 << 20, 'x'));
  const Figures before_reads = FiguresOf(watcher());
  ChildProcess reader = StartClient([](RawClient& client) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Ask(ReadLine("a")).descriptors.size(), 1u);
  });
  EXPECT_EQ(FiguresOf(watcher()).reads, 100);
  EXPECT_EQ(watcher().Ask(CreateLine("b", 1)).Kind(), "capacity");
  reader.Kill();
  EXPECT_TRUE(Eventually([&] { return FiguresOf(watcher()) == before_reads; }, kAtOnce));
  Put(watcher(), "b", "the first one may be evicted now");
}

TEST_F(UdsFaults, ALeaseWithATtlOutlivesItsKilledClient) {
  StartNode();
  Put(watcher(), "a", "bytes");
  ChildProcess reader = StartClient([](RawClient& client) {
    client.Ask(R"({"op":"acquire","intent":"read","object_id":"a","ttl_seconds":600})");
  });
  reader.Kill();
  ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).connections == 1; }, kAtOnce));
  EXPECT_EQ(FiguresOf(watcher()).reads, 1);
  // The rest of the test is not for it.
  node().Kill();
  watcher_.reset();
}

// ---- Deaf ----

// Sends `line` over and over and never reads. True once the server has cut it off. Meanwhile others
// are served.
bool IsCutOff(RawClient& deaf, const std::string& line, RawClient& other) {
  const std::string bytes = line + "\n";
  size_t sent = 0;
  return Eventually([&] {
    EXPECT_EQ(other.Ask(kStats).Kind(), "ok");
    for (int i = 0; i < 1000; ++i) {
      const absl::string_view rest = absl::string_view(bytes).substr(sent);
      const ssize_t n = send(deaf.socket(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) return errno == EPIPE || errno == ECONNRESET;
      sent = (sent + static_cast<size_t>(n)) % bytes.size();
    }
    return false;
  });
}

TEST_F(UdsFaults, AClientThatNeverReadsIsCutOffAndTakesLittleMemory) {
  NodeFlags flags;
  flags.send_timeout = absl::Milliseconds(300);
  StartNode(flags);
  for (int i = 0; i < 1000; ++i) Put(watcher(), absl::StrCat("object/", i), "x");
  const int64_t memory = node().PrivateBytes();
  RawClient deaf = Connect();
  EXPECT_TRUE(IsCutOff(deaf, R"({"op":"list","limit":10000})", watcher()));
  EXPECT_LT(node().PrivateBytes() - memory, (16 << 20) * kSlowdown);
  RemoveAll(watcher());
  EXPECT_TRUE(IsAsBefore()) << "while the client is still there";
}

TEST_F(UdsFaults, AClientThatNeverReadsItsDescriptorsIsCutOff) {
  NodeFlags flags;
  flags.send_timeout = absl::Milliseconds(300);
  StartNode(flags);
  Put(watcher(), "a", kWithDescriptor);
  RawClient deaf = Connect();
  deaf.Ask(kHello);
  EXPECT_TRUE(IsCutOff(deaf, BatchLine(std::vector<std::string>(100, ReadLine("a"))), watcher()));
  RemoveAll(watcher());
  EXPECT_TRUE(IsAsBefore()) << "while the client is still there";
}

// The kernel lets a user have only so many descriptors on their way in sockets (unix(7)).
TEST_F(UdsFaults, AClientThatLeavesTooManyDescriptorsInFlightIsCutOff) {
  ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  NodeFlags flags;
  flags.send_timeout = absl::Milliseconds(300);
  flags.descriptors = 256;
  flags.unprivileged = true;
  StartNode(flags);
  Put(watcher(), "a", kWithDescriptor);
  {
    RawClient deaf = Connect();
    deaf.Ask(kHello);
    EXPECT_TRUE(IsCutOff(deaf, BatchLine(std::vector<std::string>(100, ReadLine("a"))), watcher()));
  }
  EXPECT_EQ(Connect().Ask(ReadLine("a")).descriptors.size(), 1u);
}

// ---- Many ----

TEST_F(UdsFaults, TwoThousandConnectionsAtOnceAreServed) {
  LimitDescriptors(RLIM_INFINITY);
  StartNode();
  std::vector<RawClient> clients;
  for (int i = 0; i < 2000; ++i) {
    clients.push_back(Connect());
    clients.back().Send(absl::StrCat(CreateLine(absl::StrCat(i), 10), "\n"));
  }
  for (RawClient& client : clients) ASSERT_EQ(client.Receive().Kind(), "ok");
  EXPECT_EQ(FiguresOf(watcher()).connections, 2001);
  EXPECT_EQ(FiguresOf(watcher()).creates, 2000);
  clients.clear();
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(UdsFaults, ConnectionsBeyondTheLimitAreRefusedWithCapacity) {
  LimitDescriptors(RLIM_INFINITY);
  NodeFlags flags;
  flags.max_connections = 100;
  StartNode(flags);
  std::vector<RawClient> clients;
  for (int i = 0; i < 2000; ++i) clients.push_back(Connect());
  for (size_t i = 0; i < clients.size(); ++i) {
    ASSERT_EQ(clients[i].Ask(kStats).Kind(), i < 99 ? "ok" : "capacity") << i;
  }
  EXPECT_TRUE(clients.back().AtEnd());
  clients.clear();
  EXPECT_TRUE(IsAsBefore());
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

// ---- Without descriptors ----

class UdsFaultsWithoutDescriptors : public UdsFaults {
 protected:
  static constexpr size_t kDescriptors = 128;

  void SetUp() override {
    NodeFlags flags;
    flags.descriptors = kDescriptors;
    StartNode(flags);
  }

  // Creates until there is no more; answers the leases.
  std::vector<std::string> CreateAllThereIs(RawClient& client) {
    std::vector<std::string> leases;
    for (int i = 0; i < 1000; ++i) {
      const Response grant = client.Ask(CreateLine(absl::StrCat("held/", i), 4096));
      if (grant.Kind() != "ok") {
        EXPECT_EQ(grant.Kind(), "capacity") << grant.line;
        break;
      }
      leases.push_back(grant.Text("lease_id"));
    }
    return leases;
  }
};

TEST_F(UdsFaultsWithoutDescriptors, CreatesGetCapacityUntilSomeAreFree) {
  RawClient client = Connect();
  for (const char* features : {R"(["positioned"])", "[]"}) {
    client.Ask(absl::StrCat(R"({"op":"hello","features":)", features, "}"));
    const std::vector<std::string> leases = CreateAllThereIs(client);
    EXPECT_GT(leases.size(), kDescriptors / 2);
    EXPECT_LT(leases.size(), kDescriptors);
    EXPECT_EQ(client.Ask(CreateLine("more", 1)).Kind(), "capacity");
    EXPECT_EQ(watcher().Ask(kStats).Kind(), "ok");
    for (const std::string& lease : leases) client.Ask(LeaseLine("discard", lease));
    EXPECT_EQ(client.Ask(CreateLine("more", 1)).Kind(), "ok");
    RawClient other = Connect();
    Put(other, "others do as well", "bytes");
    RemoveAll(other);
    client = Connect();
  }
}

TEST_F(UdsFaultsWithoutDescriptors, NewConnectionsFindSomeThatObjectsMayNotTake) {
  RawClient client = Connect();
  client.Ask(kHello);
  const std::vector<std::string> leases = CreateAllThereIs(client);
  std::vector<RawClient> others;
  for (size_t i = 0; i < kDescriptors / 16; ++i) {
    others.push_back(Connect());
    EXPECT_EQ(others.back().Ask(kStats).Kind(), "ok");
  }
}

TEST_F(UdsFaultsWithoutDescriptors, NewConnectionsGetCapacityUntilSomeAreFree) {
  std::vector<RawClient> clients;
  while (clients.size() < kDescriptors) {
    clients.push_back(Connect());
    if (clients.back().Ask(kStats).Kind() == "capacity") break;
  }
  EXPECT_LT(clients.size(), kDescriptors);
  for (int i = 0; i < 10; ++i) {
    RawClient refused = Connect();
    EXPECT_EQ(refused.Receive().Kind(), "capacity");
    EXPECT_TRUE(refused.AtEnd());
  }
  clients.clear();
  EXPECT_TRUE(IsAsBefore());
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

TEST_F(UdsFaultsWithoutDescriptors, TwoThousandConnectionsAreServedOrRefused) {
  LimitDescriptors(RLIM_INFINITY);
  std::vector<RawClient> clients;
  for (int i = 0; i < 2000; ++i) clients.push_back(Connect());
  size_t served = 0;
  for (RawClient& client : clients) {
    const std::string kind = client.Ask(kStats).Kind();
    served += kind == "ok" ? 1 : 0;
    ASSERT_TRUE(kind == "ok" || kind == "capacity") << kind;
  }
  EXPECT_GT(served, kDescriptors / 2);
  EXPECT_LT(served, kDescriptors);
  EXPECT_EQ(watcher().Ask(kStats).Kind(), "ok");
  clients.clear();
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(UdsFaultsWithoutDescriptors, SmallObjectsAreStillTakenAndRead) {
  RawClient client = Connect();
  for (int i = 0; i < 2000; ++i) Put(client, absl::StrCat("small/", i), absl::StrCat("bytes ", i));
  for (int i = 0; i < 2000; ++i) {
    const Response read = client.Ask(ReadLine(absl::StrCat("small/", i)));
    ASSERT_EQ(read.descriptors.size(), 1u) << read.line;
    std::string bytes(static_cast<size_t>(read.Number("size")), '\0');
    ASSERT_GT(::read(read.descriptors[0].get(), bytes.data(), bytes.size()), 0);
    ASSERT_EQ(bytes, absl::StrCat("bytes ", i));
    client.Ask(LeaseLine("release", read.Text("lease_id")));
  }
  EXPECT_LT(FiguresOf(client).descriptors, static_cast<int64_t>(kDescriptors));
}

TEST_F(UdsFaultsWithoutDescriptors, LargeObjectsMakeRoomForOneAnother) {
  RawClient client = Connect();
  for (int i = 0; i < 1000; ++i) Put(client, absl::StrCat("large/", i), kWithDescriptor);
  EXPECT_GT(client.Ask(kStats).Number("evictions"), 0);
}

TEST_F(UdsFaults, AClientWithoutDescriptorsGetsCapacityAndRecovers) {
  StartNode();
  Put(watcher(), "a", kWithDescriptor);
  ChildProcess client = ChildProcess::Fork([this] {
    LimitDescriptors(40);
    UdsPeerOptions options;
    options.path = path();
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UdsPeer> peer, UdsPeer::Connect(options));
    AcquireRequest request;
    request.object_id = *ObjectId::Parse("a");
    request.session = SessionId(1);
    std::vector<Grant> grants;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer, request);
    for (; grant.ok(); grant = blocking::Acquire(*peer, request)) grants.push_back(*grant);
    EXPECT_THAT(grant, HasKind(ErrorKind::kCapacity));
    EXPECT_GT(grants.size(), 20u);
    grants.clear();
    EXPECT_THAT(blocking::Acquire(*peer, request), IsOk());
  });
  EXPECT_EQ(client.ReadLine(), "ready");
  client.Kill();
}

}  // namespace
}  // namespace packice
