// How much a tracker takes and answers over loopback, beside a bare gRPC service that answers calls
// of the same sizes, and what an entry of its table costs.
//
//   p2p_tracker_bench                              # with a table of a million entries
//   PACKICE_BENCH_LARGE=1 p2p_tracker_bench        # and one of ten million: 2 GB of memory
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "packice/core/mutex.h"
#include "packice/p2p/content_digest.h"
#include "packice/p2p/tracker_directory.h"
#include "packice/p2p/tracker_server.h"
#include "packice/proto/tracker.grpc.pb.h"
#include "tracker_table.h"

namespace packice {
namespace {

using tracker::v1::AnnounceRequest;
using tracker::v1::AnnounceResponse;
using tracker::v1::LocateRequest;
using tracker::v1::LocateResponse;
using tracker::v1::Tracker;

constexpr int kClients = 64;
constexpr int kAnnouncers = 4;
constexpr uint64_t kObjects = 100'000;
constexpr absl::Duration kRound = absl::Seconds(1);

// Ids of 32 bytes, as hashes are.
std::string IdOf(uint64_t number) { return absl::StrFormat("%032x", number * 0x9e3779b97f4a7c15); }

AnnounceRequest Message(const std::string& address, uint64_t sequence, uint64_t first,
                        uint64_t count) {
  const std::string digest = ContentDigest(HashKind::kXxh3, std::string(16, 'd')).Encode();
  AnnounceRequest request;
  request.mutable_node()->set_address(address);
  request.mutable_node()->set_zone("zone");
  request.mutable_node()->set_epoch(1);
  request.set_sequence(sequence);
  for (uint64_t i = 0; i < count; ++i) {
    tracker::v1::Holding& holding = *request.add_holdings();
    holding.set_object_id(IdOf(first + i));
    holding.set_size(64 << 20);
    holding.set_digest(digest);
    holding.set_pieces(16);
    holding.set_pieces_held(16);
    holding.set_sealed_at_ms(1'700'000'000'000);
  }
  return request;
}

// Answers each call with what it is given at first.
class BareService final : public Tracker::CallbackService {
 public:
  LocateResponse located;
  grpc::ServerUnaryReactor* Locate(grpc::CallbackServerContext* context, const LocateRequest*,
                                   LocateResponse* response) override {
    *response = located;
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* Announce(grpc::CallbackServerContext* context, const AnnounceRequest*,
                                     AnnounceResponse* response) override {
    response->set_interval_ms(15'000);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

struct BareServer {
  BareServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    address = absl::StrCat("127.0.0.1:", port);
  }
  BareService service;
  std::unique_ptr<grpc::Server> server;
  std::string address;
};

std::unique_ptr<Tracker::Stub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return Tracker::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

// A client with a connection of its own that asks again as soon as it was answered.
class Asker {
 public:
  Asker(const std::string& address, int number)
      : stub_(Connect(address)), name_(absl::StrCat("10.1.0.", number, ":1")), next_(number) {}

  void Start() { Ask(); }
  // Answers so far; waits for the last one.
  uint64_t Stop() {
    stopping_ = true;
    MutexLock lock(mutex_);
    while (!stopped_) changed_.Wait(mutex_);
    return answers_;
  }

 private:
  void Ask() {
    next_ = (next_ * 6364136223846793005u + 1442695040888963407u);
    request_.set_object_id(IdOf((next_ >> 33) % kObjects));
    request_.set_zone("zone");
    request_.set_address(name_);
    context_ = std::make_unique<grpc::ClientContext>();
    stub_->async()->Locate(context_.get(), &request_, &response_, [this](grpc::Status status) {
      if (!status.ok()) std::abort();
      ++answers_;
      if (!stopping_) return Ask();
      MutexLock lock(mutex_);
      stopped_ = true;
      changed_.NotifyAll();
    });
  }

  const std::unique_ptr<Tracker::Stub> stub_;
  const std::string name_;
  uint64_t next_;
  LocateRequest request_;
  LocateResponse response_;
  std::unique_ptr<grpc::ClientContext> context_;
  uint64_t answers_ = 0;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

double LocatesPerSecond(const std::string& address) {
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < kClients; ++i) askers.push_back(std::make_unique<Asker>(address, i));
  const absl::Time start = absl::Now();
  for (const auto& asker : askers) asker->Start();
  absl::SleepFor(kRound);
  uint64_t answers = 0;
  for (const auto& asker : askers) answers += asker->Stop();
  return static_cast<double>(answers) / absl::ToDoubleSeconds(absl::Now() - start);
}

// Locates of 64 clients, each with one under way, among 100,000 objects of three holders each; and
// the same calls to the bare service.
void BM_LocateOf64Clients(benchmark::State& state) {
  TrackerOptions options;
  options.listen = "127.0.0.1:0";
  auto tracker = *TrackerServer::Start(options);
  BareServer bare;
  auto stub = Connect(tracker->address());
  for (int node = 0; node < 3; ++node) {
    uint64_t sequence = 0;
    for (uint64_t first = 0; first < kObjects; first += 1000) {
      grpc::ClientContext context;
      AnnounceResponse response;
      stub->Announce(&context,
                     Message(absl::StrCat("10.0.0.", node, ":1"), ++sequence, first, 1000),
                     &response);
    }
  }
  LocateRequest request;
  request.set_object_id(IdOf(1));
  grpc::ClientContext context;
  stub->Locate(&context, request, &bare.service.located);
  if (bare.service.located.holders_size() != 3) std::abort();

  double locates = 0;
  double echoes = 0;
  for (auto _ : state) {
    locates += LocatesPerSecond(tracker->address());
    echoes += LocatesPerSecond(bare.address);
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["locates_per_s"] = locates / rounds;
  state.counters["bare_per_s"] = echoes / rounds;
  state.counters["ratio"] = locates / echoes;
}
BENCHMARK(BM_LocateOf64Clients)->Unit(benchmark::kMillisecond)->UseRealTime();

double ObjectsPerSecond(const std::string& address, uint64_t each) {
  constexpr uint64_t kOfMessage = 1000;
  std::vector<std::vector<AnnounceRequest>> messages(kAnnouncers);
  for (int i = 0; i < kAnnouncers; ++i) {
    for (uint64_t first = 0; first < each; first += kOfMessage) {
      messages[i].push_back(Message(absl::StrCat("10.2.0.", i, ":1"), messages[i].size() + 1,
                                    first + static_cast<uint64_t>(i) * each, kOfMessage));
    }
  }
  const absl::Time start = absl::Now();
  std::vector<std::thread> threads;
  for (int i = 0; i < kAnnouncers; ++i) {
    threads.emplace_back([&, i] {
      auto stub = Connect(address);
      for (const AnnounceRequest& message : messages[i]) {
        grpc::ClientContext context;
        AnnounceResponse response;
        if (!stub->Announce(&context, message, &response).ok()) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(each * kAnnouncers) / absl::ToDoubleSeconds(absl::Now() - start);
}

// New objects of 4 nodes in messages of 1000; and the same messages to the bare service.
void BM_Announce(benchmark::State& state) {
  double objects = 0;
  double bare_objects = 0;
  for (auto _ : state) {
    TrackerOptions options;
    options.listen = "127.0.0.1:0";
    auto tracker = *TrackerServer::Start(options);
    BareServer bare;
    objects += ObjectsPerSecond(tracker->address(), 100'000);
    bare_objects += ObjectsPerSecond(bare.address, 100'000);
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["objects_per_s"] = objects / rounds;
  state.counters["bare_per_s"] = bare_objects / rounds;
  state.counters["ratio"] = objects / bare_objects;
}
BENCHMARK(BM_Announce)->Unit(benchmark::kMillisecond)->UseRealTime();

size_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A table of distinct objects, each of one holder: what an entry costs, and how long a message may
// keep the lock.
void BM_TableEntries(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  constexpr uint64_t kOfMessage = 1000;
  for (auto _ : state) {
    const size_t before = HeapBytes();
    TrackerTable table{TrackerTableOptions()};
    absl::Duration longest;
    absl::Duration all;
    for (uint64_t first = 0; first < entries; first += kOfMessage) {
      const AnnounceRequest message = Message(absl::StrCat("10.0.0.", first / kOfMessage % 4, ":1"),
                                              first / kOfMessage / 4 + 1, first, kOfMessage);
      const absl::Time start = absl::Now();
      if (!table.Announce(message, absl::Hours(1)).ok()) std::abort();
      const absl::Duration took = absl::Now() - start;
      longest = std::max(longest, took);
      all += took;
    }
    if (table.counts().holdings != entries) std::abort();
    state.counters["bytes_per_entry"] =
        static_cast<double>(HeapBytes() - before) / static_cast<double>(entries);
    state.counters["ns_per_entry"] = absl::ToDoubleNanoseconds(all) / static_cast<double>(entries);
    state.counters["longest_message_ms"] = absl::ToDoubleMilliseconds(longest);
  }
}
void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1'000'000);
  if (std::getenv("PACKICE_BENCH_LARGE") != nullptr) benchmark->Arg(10'000'000);
}
BENCHMARK(BM_TableEntries)->Apply(Sizes)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace packice
