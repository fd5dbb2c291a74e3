// The speed of a node over its Unix socket, beside that of bare system calls and of redis, in one
// run: prints a table of medians and 99th percentiles in microseconds, and the ratio of the
// medians.
//
//   uds_speed [one-core|two-cores] [ROUNDS] [ONLY] [NODE-US] [CLIENT-US]
//     ONLY: part of a line's name; the numbers: how long the node polls, and the client spins
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bare_node.h"
#include "packice/core/blocking.h"
#include "packice/core/fd_blob.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "pinning.h"
#include "redis_node.h"

namespace packice {
namespace {

// A real node in a process of its own.
class ForkedNode {
 public:
  ForkedNode(int cpu, const std::string& directory, absl::Duration busy_poll)
      : path_(directory + "/socket") {
    int ready[2];
    if (pipe(ready) != 0) abort();
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      PinTo(cpu);
      auto peer = MakeMemoryPeer();
      UdsServerOptions options;
      options.path = path_;
      options.threads = 1;
      options.busy_poll = busy_poll;
      auto server = UdsServer::Start(*peer, options);
      if (!server.ok() || write(ready[1], "x", 1) != 1) abort();
      pause();
    }
    char byte;
    if (read(ready[0], &byte, 1) != 1) abort();
  }
  ~ForkedNode() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  pid_t child_;
};

template <typename T>
T Check(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  abort();
}

AcquireRequest Request(Access access, absl::string_view id) {
  AcquireRequest request;
  request.access = access;
  request.object_id = *ObjectId::Parse(id);
  return request;
}

void Put(Peer& peer, absl::string_view id, absl::string_view bytes) {
  AcquireRequest request = Request(Access::kCreate, id);
  request.blob_sizes = {bytes.size()};
  const Grant grant = Check(blocking::Acquire(peer, std::move(request)));
  if (!grant.object->blobs()[0]->Write(0, bytes).ok()) abort();
  absl::StatusOr<Sealed> sealed = Sealed();
  Latch latch;
  peer.Await(
      [&] {
        peer.Gather([&] {
          peer.Seal({grant.lease.id, {}, {}, {}, {}}, [&](absl::StatusOr<Sealed> answer) {
            sealed = std::move(answer);
            latch.Set();
          });
          peer.Release({grant.lease.id, {}, {}}, nullptr);
        });
      },
      latch);
  Check(std::move(sealed));
}

void PutWhole(Peer& peer, absl::string_view id, absl::string_view bytes) {
  PutRequest request;
  request.object_id = *ObjectId::Parse(id);
  request.bytes = bytes;
  Check(blocking::Put(peer, std::move(request)));
}

void Get(Peer& peer, absl::string_view id) {
  const Grant grant = Check(blocking::Acquire(peer, Request(Access::kRead, id)));
  const Mapping mapping = Check(grant.object->blobs()[0]->Map(MapAccess::kReadOnly));
  peer.Release({grant.lease.id, {}, {}}, nullptr);
}

void Delete(Peer& peer, absl::string_view id) {
  const Grant grant = Check(blocking::Acquire(peer, Request(Access::kWrite, id)));
  if (!blocking::Discard(peer, {grant.lease.id, {}, {}}).ok()) abort();
}

using Work = std::function<void()>;

struct Figures {
  double median;  // us
  double p99;
};

Figures FiguresOf(std::vector<double>& samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[samples.size() * 99 / 100]};
}

double Microseconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

std::string g_only;

bool Wanted(absl::string_view name) { return absl::StrContains(name, g_only); }

// In turn, so that whatever else the machine does meets both alike.
void Compare(
    const std::string& name, const Work& node, const Work& bare, int rounds, int batch,
    const Work& cleanup = [] {}) {
  if (!Wanted(name)) return;
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int i = 0; i < rounds; ++i) {
    for (int j = 0; j < batch; ++j) {
      ours.push_back(Microseconds(node));
      cleanup();
    }
    for (int j = 0; j < batch; ++j) theirs.push_back(Microseconds(bare));
  }
  const Figures a = FiguresOf(ours);
  const Figures b = FiguresOf(theirs);
  std::printf("%-32s %10.2f %10.2f %10.2f %10.2f %8.2f\n", name.c_str(), a.median, a.p99, b.median,
              b.p99, a.median / b.median);
  std::fflush(stdout);
}

std::string SizeName(uint64_t size) {
  if (size >= 1 << 30) return absl::StrCat(size >> 30, " GiB");
  if (size >= 1 << 20) return absl::StrCat(size >> 20, " MiB");
  return absl::StrCat(size >> 10, " KiB");
}

// Without a mapping: messages alone.
void CompareLeases(Peer& peer, BareNode& bare, int rounds) {
  Put(peer, "lease", "x");
  Compare(
      "acquire and release",
      [&] {
        const Grant grant = Check(blocking::Acquire(peer, Request(Access::kRead, "lease")));
        peer.Release({grant.lease.id, {}, {}}, nullptr);
      },
      [&] {
        bare.Get();
        bare.Notify();
      },
      rounds, 200);
  Delete(peer, "lease");
}

void CompareGets(Peer& peer, BareNode& bare, int rounds) {
  for (const uint64_t size : {uint64_t{4} << 10, uint64_t{1} << 20, uint64_t{1} << 30}) {
    const std::string id = absl::StrCat("get/", size);
    AcquireRequest create = Request(Access::kCreate, id);
    create.blob_sizes = {size};
    const Grant created = Check(blocking::Acquire(peer, std::move(create)));
    Check(blocking::Seal(peer, {created.lease.id, {}, {}, {}, {}}));
    const auto bare_get = [&] {
      const UniqueFd fd = bare.Get();
      void* mapping = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
      bare.Notify();
      munmap(mapping, size);
    };
    Compare(
        absl::StrCat("get ", SizeName(size)), [&] { Get(peer, id); }, bare_get, rounds, 200);
    if (!blocking::Discard(peer, {created.lease.id, {}, {}}).ok()) abort();
  }
}

void ComparePuts(Peer& peer, BareNode& bare, int rounds) {
  for (const uint64_t size :
       {uint64_t{1} << 10, uint64_t{64} << 10, uint64_t{1} << 20, uint64_t{64} << 20}) {
    const std::string bytes(size, 'x');
    const int batch = size > (uint64_t{1} << 20) ? 2 : 100;
    const auto bare_put = [&] {
      const UniqueFd fd = bare.Create(size);
      if (!WriteAt(fd.get(), 0, bytes).ok()) abort();
      bare.SealAndForget();
    };
    Compare(
        absl::StrCat("put ", SizeName(size)), [&] { PutWhole(peer, "put", bytes); }, bare_put,
        rounds, batch, [&] { Delete(peer, "put"); });
    Compare(
        absl::StrCat("put ", SizeName(size), " in steps"), [&] { Put(peer, "put", bytes); },
        bare_put, rounds, batch, [&] { Delete(peer, "put"); });
  }
}

// Packice hands out a mapping of the bytes, redis copies them; that is the difference between the
// two.
void CompareWithRedis(Peer& peer, int cpu, const std::string& directory, int rounds) {
  if (!Wanted("redis")) return;
  RedisNode redis(cpu, directory);
  std::printf("%-32s %10s %10s %10s %10s %8s\n", "", "packice", "p99", "redis", "p99", "ratio");
  for (const uint64_t size : {uint64_t{1} << 10, uint64_t{1} << 20, uint64_t{64} << 20}) {
    const std::string bytes(size, 'x');
    const int batch = size > (uint64_t{1} << 20) ? 2 : 100;
    Compare(
        absl::StrCat("redis: put ", SizeName(size)), [&] { Put(peer, "put", bytes); },
        [&] { redis.Set("put", bytes); }, rounds, batch, [&] { Delete(peer, "put"); });
    Put(peer, "redis", bytes);
    redis.Set("redis", bytes);
    Compare(
        absl::StrCat("redis: get ", SizeName(size)), [&] { Get(peer, "redis"); },
        [&] {
          if (redis.Get("redis") != size) abort();
        },
        rounds, batch);
    Delete(peer, "redis");
    redis.Delete("redis");
  }
}

// Pairs of acquire and release, many in one message.
void MeasureBatches(Peer& peer) {
  if (!Wanted("batched")) return;
  Put(peer, "batch", "x");
  constexpr int kPairs = 100;
  constexpr int kRounds = 2000;
  std::vector<double> samples;
  for (int round = 0; round < kRounds; ++round) {
    samples.push_back(Microseconds([&] {
      std::vector<LeaseId> leases(kPairs);
      int left = kPairs;
      Latch latch;
      peer.Await(
          [&] {
            peer.Gather([&] {
              for (int i = 0; i < kPairs; ++i) {
                peer.Acquire(Request(Access::kRead, "batch"), [&, i](absl::StatusOr<Grant> grant) {
                  leases[i] = Check(std::move(grant)).lease.id;
                  if (--left == 0) latch.Set();
                });
              }
            });
          },
          latch);
      peer.Gather([&] {
        for (const LeaseId& lease : leases) peer.Release({lease, {}, {}}, nullptr);
      });
    }));
  }
  const Figures figures = FiguresOf(samples);
  std::printf("%-32s %10.2f us, that is %.0f pairs/s\n", "100 acquire + release, batched",
              figures.median, kPairs * 1e6 / figures.median);
}

int Main(int argc, char** argv) {
  const bool two_cores = argc > 1 && std::strcmp(argv[1], "two-cores") == 0;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  if (argc > 3) g_only = argv[3];
  const absl::Duration busy_poll = absl::Microseconds(argc > 4 ? std::atoi(argv[4]) : 0);
  const absl::Duration spin = absl::Microseconds(argc > 5 ? std::atoi(argv[5]) : 0);
  std::string directory =
      (std::filesystem::temp_directory_path() / "packice-speed-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) abort();
  {
    const int node_cpu = two_cores ? 1 : 0;
    ForkedNode node(node_cpu, directory, busy_poll);
    BareNode bare(node_cpu);
    PinTo(0);
    UdsPeerOptions options;
    options.path = node.path();
    options.spin = spin;
    auto peer = Check(UdsPeer::Connect(options));
    std::printf("%s, microseconds\n",
                two_cores ? "client and node on two cores" : "client and node on one core");
    std::printf("%-32s %10s %10s %10s %10s %8s\n", "", "packice", "p99", "bare", "p99", "ratio");
    Compare(
        "round trip", [&] { Check(blocking::Stats(*peer)); }, [&] { bare.Ping(); }, rounds, 200);
    CompareLeases(*peer, bare, rounds);
    CompareGets(*peer, bare, rounds);
    ComparePuts(*peer, bare, rounds);
    MeasureBatches(*peer);
    CompareWithRedis(*peer, node_cpu, directory, rounds);
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
