// How a node comes to its socket and leaves it, who may use it, and what clients see when it goes
// or when they fork.
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/uds_peer.h"

namespace packice {
namespace {

constexpr char kStats[] = R"({"op":"stats"})";

// ---- The socket file ----

class UdsSocketFile : public NodeTest {
 protected:
  NodeProcess StartHere() const {
    NodeFlags flags;
    flags.path = path();
    return NodeProcess(flags);
  }
  std::string OutcomeHere() const { return StartHere().outcome(); }

  // A socket file that nobody listens on.
  void LeaveStaleSocket() const {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
};

TEST_F(UdsSocketFile, IsForItsUserAlone) {
  StartNode();
  struct stat info;
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(UdsSocketFile, GoesWithItsNode) {
  StartNode();
  node().Terminate();
  EXPECT_TRUE(watcher().AtEnd());
  EXPECT_EQ(node().Wait(), 0);
  EXPECT_NE(access(path().c_str(), F_OK), 0);
  watcher_.reset();
}

TEST_F(UdsSocketFile, OfALiveServerIsBusy) {
  StartNode();
  EXPECT_EQ(OutcomeHere(), "busy");
  EXPECT_EQ(OutcomeHere(), "busy");
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

TEST_F(UdsSocketFile, ThatIsStaleIsReplaced) {
  LeaveStaleSocket();
  StartNode();
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

TEST_F(UdsSocketFile, OfAKilledNodeIsReplaced) {
  StartNode();
  node().Kill();
  EXPECT_EQ(access(path().c_str(), F_OK), 0);
  StartNode();
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

TEST_F(UdsSocketFile, OneOfSeveralNodesThatStartAtOnceGetsIt) {
  for (int round = 0; round < 5; ++round) {
    LeaveStaleSocket();
    std::vector<NodeProcess> starters;
    for (int i = 0; i < 6; ++i) starters.push_back(StartHere());
    int ready = 0;
    for (NodeProcess& starter : starters) {
      ready += starter.outcome() == "ready" ? 1 : 0;
      EXPECT_THAT(starter.outcome(), testing::AnyOf("ready", "busy"));
    }
    EXPECT_EQ(ready, 1);
    EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
    starters.clear();
    unlink(path().c_str());
  }
}

TEST_F(UdsSocketFile, ThatIsNoSocketIsLeftAlone) {
  std::ofstream(path()) << "precious";
  EXPECT_EQ(OutcomeHere(), "invalid_argument");
  std::ifstream file(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
  unlink(path().c_str());
  ASSERT_EQ(symlink("/etc/passwd", path().c_str()), 0);
  EXPECT_EQ(OutcomeHere(), "invalid_argument");
  unlink(path().c_str());
  ASSERT_EQ(mkdir(path().c_str(), 0700), 0);
  EXPECT_EQ(OutcomeHere(), "invalid_argument");
}

TEST_F(UdsSocketFile, MayHaveASuccessorThatItsFirstNodeLeavesAlone) {
  NodeProcess first = StartHere();
  ASSERT_EQ(first.outcome(), "ready");
  unlink(path().c_str());
  StartNode();
  first.Terminate();
  EXPECT_EQ(first.Wait(), 0);
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

// ---- Who may use it ----

class UdsPeerUid : public NodeTest {};

TEST_F(UdsPeerUid, AnotherUserIsRefused) {
  StartNode();
  // Even if the file's mode let them in.
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path().c_str(), 0666), 0);
  ChildProcess client = ChildProcess::Fork([this] {
    const bool root = geteuid() == 0;
    ASSERT_TRUE(!root || (setgroups(0, nullptr) == 0 && setgid(65534) == 0 && setuid(65534) == 0));
    RawClient stranger(path());
    // Who is no root can't be another user; then this is the other half of the rule.
    EXPECT_EQ(stranger.Ask(kStats).Kind(), root ? "permission_denied" : "ok");
    EXPECT_TRUE(!root || stranger.AtEnd());
  });
  EXPECT_EQ(client.ReadLine(), "ready");
}

TEST_F(UdsPeerUid, RootIsServed) {
  ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  NodeFlags flags;
  flags.unprivileged = true;
  StartNode(flags);
  EXPECT_EQ(Connect().Ask(kStats).Kind(), "ok");
}

// ---- Draining ----

class UdsDrain : public NodeTest {};

TEST_F(UdsDrain, UnderLoadAnswersWhateverWasSent) {
  StartNode();
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      RawClient client = Connect();
      const std::string burst = absl::StrCat(CreateLine(absl::StrCat("object/", i), 100), "\n",
                                             kStats, "\n", kStats, "\n");
      while (client.Send(burst)) {
        for (int k = 0; k < 3; ++k) {
          const Response response = client.Receive();
          ASSERT_THAT(response.Kind(), testing::AnyOf("ok", "busy", "unavailable"));
          ++answered;
        }
      }
      EXPECT_TRUE(client.AtEnd());
    });
  }
  ASSERT_TRUE(Eventually([&] { return answered > 1000; }));
  node().Terminate();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(node().Wait(), 0);
  EXPECT_TRUE(watcher().AtEnd());
  EXPECT_FALSE(RawClient::TryConnect(path()));
  watcher_.reset();
}

TEST_F(UdsDrain, EndsWaitsWithUnavailable) {
  StartNode();
  RawClient creator = Connect();
  creator.Ask(CreateLine("a", 1));
  std::vector<RawClient> waiting;
  for (const char* seq : {"", R"(,"seq":1)"}) {
    waiting.push_back(Connect());
    waiting.back().Send(absl::StrCat(
        R"({"op":"acquire","intent":"read","object_id":"a","wait_seconds":600)", seq, "}\n"));
  }
  ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 2; }));
  node().Terminate();
  for (RawClient& client : waiting) {
    EXPECT_EQ(client.Receive().Kind(), "unavailable");
    EXPECT_TRUE(client.AtEnd());
  }
  EXPECT_EQ(node().Wait(), 0);
  watcher_.reset();
}

// ---- The client's Peer: restarts and forks ----

class UdsPeerProcesses : public NodeTest {
 protected:
  static constexpr SessionId kSession{1};

  std::unique_ptr<UdsPeer> ConnectPeer() const {
    UdsPeerOptions options;
    options.path = path();
    absl::StatusOr<std::unique_ptr<UdsPeer>> peer = UdsPeer::Connect(options);
    EXPECT_THAT(peer, IsOk());
    return *std::move(peer);
  }
  static absl::StatusOr<Grant> Acquire(UdsPeer& peer, Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    request.session = kSession;
    if (access == Access::kCreate) request.blob_sizes = {5};
    return blocking::Acquire(peer, request);
  }
  static absl::Status Seal(UdsPeer& peer, const Grant& grant) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kSession;
    return blocking::Seal(peer, request).status();
  }
  static absl::Status Put(UdsPeer& peer, absl::string_view id) {
    absl::StatusOr<Grant> grant = Acquire(peer, Access::kCreate, id);
    if (!grant.ok()) return grant.status();
    if (absl::Status s = grant->object->blobs()[0]->Write(0, "bytes"); !s.ok()) return s;
    if (absl::Status s = Seal(peer, *grant); !s.ok()) return s;
    return blocking::Release(peer, {grant->lease.id, kSession, OperationId::kNone});
  }
  static std::string Get(UdsPeer& peer, absl::string_view id) {
    absl::StatusOr<Grant> grant = Acquire(peer, Access::kRead, id);
    EXPECT_THAT(grant, IsOk());
    std::string bytes(5, '\0');
    if (!grant.ok()) return "";
    EXPECT_THAT(grant->object->blobs()[0]->Read(0, absl::MakeSpan(&bytes[0], 5)), IsOk());
    return bytes;
  }
};

TEST_F(UdsPeerProcesses, AfterARestartThePeerReconnectsAndOldLeasesAreExpired) {
  for (const bool polite : {false, true}) {
    StartNode();
    const std::unique_ptr<UdsPeer> peer = ConnectPeer();
    ASSERT_THAT(Put(*peer, "old"), IsOk());
    ASSERT_OK_AND_ASSIGN(const Grant reading, Acquire(*peer, Access::kRead, "old"));
    ASSERT_OK_AND_ASSIGN(const Grant creating, Acquire(*peer, Access::kCreate, "new"));
    AcquireRequest request;
    request.object_id = *ObjectId::Parse("new");
    request.wait = absl::Hours(1);
    Pending<absl::StatusOr<Grant>> waiting;
    peer->Acquire(request, waiting.Callback());
    ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 1; }));
    if (polite) {
      node().Terminate();
      node().Wait();
    } else {
      node().Kill();
    }
    EXPECT_THAT(waiting.Wait(), HasKind(ErrorKind::kUnavailable));
    EXPECT_THAT(blocking::Stats(*peer), HasKind(ErrorKind::kUnavailable));
    StartNode();
    EXPECT_THAT(blocking::Stats(*peer), IsOk());
    EXPECT_THAT(Seal(*peer, creating), HasKind(ErrorKind::kLeaseExpired));
    EXPECT_THAT(blocking::Discard(*peer, {creating.lease.id, kSession, OperationId::kNone}),
                HasKind(ErrorKind::kLeaseExpired));
    EXPECT_THAT(blocking::Release(*peer, {reading.lease.id, kSession, OperationId::kNone}), IsOk());
    // What was read stays readable.
    std::string bytes(5, '\0');
    EXPECT_THAT(reading.object->blobs()[0]->Read(0, absl::MakeSpan(&bytes[0], 5)), IsOk());
    EXPECT_EQ(bytes, "bytes");
    EXPECT_THAT(Put(*peer, "new"), IsOk());
    node().Kill();
    watcher_.reset();
  }
}

TEST_F(UdsPeerProcesses, BothSidesOfAForkGoOn) {
  StartNode();
  const std::unique_ptr<UdsPeer> peer = ConnectPeer();
  ASSERT_THAT(Put(*peer, "before"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Grant creating, Acquire(*peer, Access::kCreate, "parent's"));
  const pid_t child = fork();
  if (child == 0) {
    EXPECT_EQ(Get(*peer, "before"), "bytes");
    EXPECT_THAT(Put(*peer, "child's"), IsOk());
    // The parent's leases are the parent's.
    EXPECT_THAT(Seal(*peer, creating), HasKind(ErrorKind::kPermissionDenied));
    _exit(HasFailure() ? 1 : 0);
  }
  EXPECT_EQ(Get(*peer, "before"), "bytes");
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Eventually([&] { return FiguresOf(watcher()).connections == 2; }));
  EXPECT_EQ(Get(*peer, "child's"), "bytes");
  EXPECT_THAT(Seal(*peer, creating), IsOk());
}

TEST_F(UdsPeerProcesses, AForkInTheMiddleOfAnotherThreadsCallsHurtsNeither) {
  StartNode();
  const std::unique_ptr<UdsPeer> peer = ConnectPeer();
  ASSERT_THAT(Put(*peer, "a"), IsOk());
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) EXPECT_EQ(Get(*peer, "a"), "bytes");
  });
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(static_cast<unsigned>(absl::ToInt64Seconds(kPatience)));
      _exit(Get(*peer, "a") == "bytes" ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  busy.join();
}

TEST_F(UdsPeerProcesses, AChildThatNeverCallsDoesNotKeepItsParentsSessionAlive) {
  StartNode();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t parent = fork();
  if (parent == 0) {
    const std::unique_ptr<UdsPeer> peer = ConnectPeer();
    const bool ok = Acquire(*peer, Access::kCreate, "a").ok();
    const pid_t child = fork();
    if (child == 0) {
      alarm(static_cast<unsigned>(absl::ToInt64Seconds(kPatience)));
      while (true) pause();
    }
    if (!ok || write(write_end.get(), &child, sizeof(child)) != sizeof(child)) _exit(1);
    while (true) pause();
  }
  write_end.Reset();
  pid_t child = -1;
  ASSERT_EQ(read(read_end.get(), &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  EXPECT_EQ(FiguresOf(watcher()).creating, 1);
  kill(parent, SIGKILL);
  ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(IsAsBefore(kAtOnce));
  EXPECT_EQ(kill(child, SIGKILL), 0) << "it lived until now";
}

}  // namespace
}  // namespace packice
