// How long a small object takes that another node holds, from the miss until it can be read, beside
// what cannot be less: a round trip of gRPC, which finds the holder, and one of TCP, which brings
// the bytes. Tracker, holder, echo and reader are processes of their own; in turns.
//
//   swarm_small_speed [OBJECTS A ROUND] [ROUNDS]
#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/core/blocking.h"
#include "packice/core/unique_fd.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/tracker_directory.h"
#include "packice/p2p/tracker_server.h"
#include "packice/peers/memory_peer.h"
#include "packice/proto/tracker.grpc.pb.h"

namespace packice {
namespace {

constexpr size_t kBytes = 4096;

[[noreturn]] void Fail(absl::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

template <typename T>
T Check(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status.ToString());
}

// A child process that says its address and then serves until it is killed.
class Server {
 public:
  explicit Server(const std::function<void(int say)>& serve) {
    int ends[2];
    if (pipe(ends) != 0) Fail("no pipe");
    const UniqueFd hears(ends[0]);
    UniqueFd says(ends[1]);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(says.get());
      while (true) pause();
    }
    says = UniqueFd();
    char c;
    while (read(hears.get(), &c, 1) == 1 && c != '\n') address_ += c;
    if (address_.empty()) Fail("a server did not start");
  }
  ~Server() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

void Say(int fd, const std::string& address) {
  const std::string line = address + "\n";
  if (write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::exit(1);
}

// What serves stays until its process ends.
void ServeTracker(int say) {
  TrackerOptions options;
  options.listen = "127.0.0.1:0";
  static const std::unique_ptr<TrackerServer> server =
      Check(TrackerServer::Start(std::move(options)));
  Say(say, server->address());
}

std::string IdOf(size_t i) { return absl::StrCat("small-", i); }

struct Node {
  explicit Node(const std::string& tracker) {
    LocalPeerOptions local;
    local.events = &changes;
    const auto directory =
        [&](const std::string& address) -> absl::StatusOr<std::unique_ptr<Directory>> {
      TrackerDirectoryOptions options;
      options.trackers = {tracker};
      options.address = address;
      return TrackerDirectory::Make(std::move(options));
    };
    peer =
        Check(SwarmPeer::Open(MakeMemoryPeer(std::move(local)), changes, directory, nullptr, {}));
  }

  ChangeFeed changes{EventSink::Null()};
  std::unique_ptr<SwarmPeer> peer;
};

void ServeHolder(const std::string& tracker, size_t objects, int say) {
  static Node node(tracker);
  const std::string bytes(kBytes, 'x');
  for (size_t i = 0; i < objects; ++i) {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = *ObjectId::Parse(IdOf(i));
    create.blob_sizes = {kBytes};
    Grant grant = Check(blocking::Acquire(*node.peer, std::move(create)));
    Check(grant.object->blobs()[0]->Write(0, bytes));
    grant.object.reset();
    SealRequest seal;
    seal.lease_id = grant.lease.id;
    Check(blocking::Seal(*node.peer, std::move(seal)).status());
    Check(blocking::Release(*node.peer, {grant.lease.id, {}, {}}));
  }
  Say(say, node.peer->address());
}

void ServeEcho(int say) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::exit(1);
  }
  Say(say, absl::StrCat(ntohs(address.sin_port)));
  const UniqueFd client(accept(listener.get(), nullptr, nullptr));
  const int on = 1;
  setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const std::string bytes(kBytes, 'x');
  char request[64];
  while (read(client.get(), request, sizeof(request)) > 0) {
    if (write(client.get(), bytes.data(), bytes.size()) < 0) return;
  }
}

UniqueFd ConnectTo(const std::string& port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port.c_str())));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("the echo does not answer");
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

double Median(std::vector<double>& values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

double MedianMicros(size_t times, const std::function<void(size_t)>& once) {
  std::vector<double> micros;
  for (size_t i = 0; i < times; ++i) {
    const absl::Time start = absl::Now();
    once(i);
    micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  return Median(micros);
}

void AskTracker(tracker::v1::Tracker::Stub& stub) {
  grpc::ClientContext context;
  tracker::v1::StatsResponse answer;
  if (!stub.Stats(&context, {}, &answer).ok()) Fail("the tracker does not answer");
}

void Echo(int fd) {
  char bytes[kBytes] = {};
  if (write(fd, bytes, 64) != 64) Fail("the echo is gone");
  for (size_t got = 0; got < kBytes;) {
    const ssize_t n = read(fd, bytes, kBytes - got);
    if (n <= 0) Fail("the echo is gone");
    got += static_cast<size_t>(n);
  }
}

void Get(Peer& peer, size_t i) {
  AcquireRequest request;
  request.object_id = *ObjectId::Parse(IdOf(i));
  const Grant grant = Check(blocking::Acquire(peer, std::move(request)));
  LeaseRequest release;
  release.lease_id = grant.lease.id;
  peer.Release(std::move(release), nullptr);
}

void AwaitTold(Peer& peer, size_t i) {
  AcquireRequest request;
  request.object_id = *ObjectId::Parse(IdOf(i));
  request.wait = absl::Seconds(60);
  Check(blocking::Acquire(peer, std::move(request)).status());
}

void Measure(size_t objects, size_t rounds) {
  // All processes before any thread of this one.
  const Server tracker(ServeTracker);
  const Server echo(ServeEcho);
  const Server holder([&](int say) { ServeHolder(tracker.address(), objects * rounds + 2, say); });
  Node node(tracker.address());
  const UniqueFd tcp = ConnectTo(echo.address());
  const std::unique_ptr<tracker::v1::Tracker::Stub> stub = tracker::v1::Tracker::NewStub(
      grpc::CreateChannel(tracker.address(), grpc::InsecureChannelCredentials()));
  AwaitTold(*node.peer, objects * rounds);
  AwaitTold(*node.peer, objects * rounds + 1);
  AskTracker(*stub);

  std::vector<double> ratios;
  for (size_t round = 0; round < rounds; ++round) {
    const double grpc = MedianMicros(objects, [&](size_t) { AskTracker(*stub); });
    const double bare = MedianMicros(objects, [&](size_t) { Echo(tcp.get()); });
    const double get =
        MedianMicros(objects, [&](size_t i) { Get(*node.peer, round * objects + i); });
    ratios.push_back(get / (grpc + bare));
    std::printf("gRPC %7.1f us  TCP %6.1f us  miss to readable %7.1f us  %.2fx\n", grpc, bare, get,
                ratios.back());
  }
  std::printf("median %.2fx of a gRPC and a TCP round trip\n", Median(ratios));
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) {
  const size_t objects = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 500;
  const size_t rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 7;
  if (objects == 0 || rounds == 0) return 2;
  packice::Measure(objects, rounds);
  return 0;
}
