// How fast an object goes from the memory of one node into that of another on this machine, every
// piece verified: two processes, one thread each, over loopback TCP. Beside it the least that could
// do the same: write(2) here, recv(2) and the same hash there.
//
// PACKICE_BENCH_MIB says how much is moved each time. For figures:
//   PACKICE_BENCH_MIB=1024 p2p_transfer_bench --benchmark_repetitions=7
//     --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "asio_network.h"
#include "packice/core/latch.h"
#include "packice/core/mapping.h"
#include "packice/core/unique_fd.h"
#include "packice/p2p/content_hasher.h"
#include "packice/p2p/testing/memory_pieces.h"

namespace packice {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kBareChunk = 256 << 10;
// Bytes that the reader has asked for and not got, as the engine keeps them.
constexpr uint64_t kInFlight = 16 << 20;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

size_t Size() {
  static const size_t size = [] {
    const char* mib = std::getenv("PACKICE_BENCH_MIB");
    return static_cast<size_t>(mib == nullptr ? 64 : std::max(1, std::atoi(mib))) << 20;
  }();
  return size;
}

// Memory that can be sent as a file, and is there before the clock runs.
struct Memory {
  Memory() : fd(memfd_create("bench", MFD_CLOEXEC)) {
    if (ftruncate(fd.get(), static_cast<off_t>(Size())) != 0) Die("ftruncate");
    mapping = *Mapping::Map(fd.get(), 0, Size(), MapAccess::kReadWrite);
    std::mt19937_64 random(1);
    for (size_t at = 0; at + 8 <= Size(); at += 8) {
      const uint64_t word = random();
      std::copy_n(reinterpret_cast<const char*>(&word), 8, &mapping.bytes()[at]);
    }
  }

  UniqueFd fd;
  Mapping mapping;
};

// What all benchmarks move, and where to; made once, before any fork.
struct World {
  Memory source;
  Memory target;

  std::shared_ptr<const Manifest> ManifestWith(HashKind hash) {
    auto& manifest = hash == HashKind::kXxh3 ? xxh3 : sha256;
    if (manifest == nullptr) {
      manifest = ManifestOf(source.mapping.view(), Manifest::PieceSizeFor(Size()), hash);
    }
    return manifest;
  }

  std::shared_ptr<const Manifest> xxh3;
  std::shared_ptr<const Manifest> sha256;
};

World& TheWorld() {
  static World& world = *new World;
  return world;
}

ObjectId Id() { return *ObjectId::Parse("bench"); }

double CpuSeconds(const rusage& usage) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OwnCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return CpuSeconds(usage);
}

// Runs `serve` in a process of its own until it is ended; it writes its address to the pipe.
class Child {
 public:
  explicit Child(const std::function<void(int address_pipe)>& serve) {
    int ends[2];
    if (pipe(ends) != 0) Die("pipe");
    pid_ = fork();
    if (pid_ < 0) Die("fork");
    if (pid_ == 0) {
      close(ends[0]);
      serve(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    char text[64] = {};
    if (read(ends[0], text, sizeof(text) - 1) <= 0) Die("the child says nothing");
    address_ = text;
    close(ends[0]);
  }
  const std::string& address() const { return address_; }

  // Ends it; returns the seconds of CPU that it took. Once.
  double End() {
    kill(pid_, SIGKILL);
    rusage usage = {};
    if (wait4(pid_, nullptr, 0, &usage) != pid_) Die("wait4");
    return CpuSeconds(usage);
  }

 private:
  pid_t pid_;
  std::string address_;
};

void Tell(int pipe, const std::string& address) {
  if (write(pipe, address.data(), address.size()) < 0) Die("write");
}

// --- nodes ---

class Holder final : public TransferEvents {
 public:
  Holder(AsioNetwork& network, std::shared_ptr<PieceStore> store)
      : network_(network), store_(std::move(store)) {}

  void OnLinkUp(LinkId) override {}
  void OnAccepted(LinkId, const std::string&) override {}
  void OnLinkDown(LinkId, const absl::Status&) override {}
  void OnFrame(LinkId link, const Frame& frame) override {
    const auto* request = absl::get_if<RequestFrame>(&frame);
    if (request == nullptr) return;
    for (uint32_t piece : request->pieces) {
      network_.SendPiece(link, request->channel, piece, store_);
    }
  }
  void OnPiece(LinkId, uint32_t, uint32_t, PieceResult) override {}
  void OnPieceSent(LinkId, uint32_t, uint32_t) override {}
  void Tick() override {}
  Instant NextTick() const override { return absl::InfiniteDuration(); }

 private:
  AsioNetwork& network_;
  const std::shared_ptr<PieceStore> store_;
};

class Reader final : public TransferEvents {
 public:
  Reader(AsioNetwork& network, std::shared_ptr<PieceStore> store)
      : network_(network), store_(std::move(store)) {}

  // Seconds, from the first request to the last verified piece.
  double Wait() {
    done_.Wait();
    return std::chrono::duration<double>(end_ - start_).count();
  }

  void OnLinkUp(LinkId link) override {
    start_ = SteadyClock::now();
    network_.ReceiveInto(link, 1, store_);
    const uint64_t piece_size = store_->manifest()->piece_size;
    const auto window = static_cast<uint32_t>(std::max<uint64_t>(1, kInFlight / piece_size));
    while (next_ < std::min(window, store_->manifest()->pieces())) Request(link);
  }
  void OnAccepted(LinkId, const std::string&) override {}
  void OnLinkDown(LinkId, const absl::Status& why) override { Die(why.ToString().c_str()); }
  void OnFrame(LinkId, const Frame&) override {}
  void OnPiece(LinkId link, uint32_t, uint32_t, PieceResult result) override {
    if (result != PieceResult::kVerified) Die("a piece is not as it was");
    if (next_ < store_->manifest()->pieces()) Request(link);
    if (store_->pieces_held() < store_->manifest()->pieces()) return;
    end_ = SteadyClock::now();
    done_.Set();
  }
  void OnPieceSent(LinkId, uint32_t, uint32_t) override {}
  void Tick() override {}
  Instant NextTick() const override { return absl::InfiniteDuration(); }

 private:
  void Request(LinkId link) { network_.Send(link, RequestFrame{1, {next_++}}); }

  AsioNetwork& network_;
  const std::shared_ptr<PieceStore> store_;
  uint32_t next_ = 0;
  SteadyClock::time_point start_;
  SteadyClock::time_point end_;
  Latch done_;
};

void ServeNode(SendPath path, HashKind hash, int pipe) {
  World& world = TheWorld();
  AsioNetworkOptions options;
  options.send_path = path;
  AsioNetwork network(options);
  Holder holder(network, std::make_shared<WholeMemoryPieces>(Id(), world.ManifestWith(hash),
                                                             world.source.mapping.view(),
                                                             world.source.fd.get()));
  const absl::StatusOr<std::string> address = network.Start("127.0.0.1:0");
  network.Attach(holder);
  Tell(pipe, *address);
  while (true) pause();
}

double ReadFromNode(const std::string& address, HashKind hash) {
  World& world = TheWorld();
  AsioNetwork network((AsioNetworkOptions()));
  Reader reader(network, std::make_shared<PartialMemoryPieces>(Id(), world.ManifestWith(hash),
                                                               world.target.mapping.bytes()));
  if (!network.Start("").ok()) Die("start");
  network.Attach(reader);
  network.Post([&] { network.Dial(address); });
  const double seconds = reader.Wait();
  network.Stop();
  return seconds;
}

// --- the least that could do it ---

void ServeBare(int pipe) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0) Die("bind");
  if (listen(listener, 1) != 0) Die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  Tell(pipe, std::to_string(ntohs(address.sin_port)));
  const int link = accept(listener, nullptr, nullptr);
  absl::string_view left = TheWorld().source.mapping.view();
  while (!left.empty()) {
    const ssize_t n = write(link, left.data(), std::min<size_t>(left.size(), 1 << 20));
    if (n <= 0) Die("write");
    left.remove_prefix(static_cast<size_t>(n));
  }
  while (true) pause();
}

double ReadBare(const std::string& port, HashKind hash) {
  const UniqueFd link(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port.c_str())));
  const std::shared_ptr<const Manifest> manifest = TheWorld().ManifestWith(hash);
  const auto hasher = ContentHasher::Make(hash);
  char* const to = TheWorld().target.mapping.bytes().data();
  const SteadyClock::time_point start = SteadyClock::now();
  if (connect(link.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Die("connect");
  }
  for (uint32_t piece = 0; piece < manifest->pieces(); ++piece) {
    uint64_t at = manifest->PieceOffset(piece);
    for (const uint64_t end = at + manifest->PieceBytes(piece); at < end;) {
      const ssize_t n = recv(link.get(), to + at, std::min<size_t>(end - at, kBareChunk), 0);
      if (n <= 0) Die("recv");
      hasher->Update(absl::string_view(to + at, static_cast<size_t>(n)));
      at += static_cast<uint64_t>(n);
    }
    if (hasher->Finish().bytes() != manifest->PieceDigest(piece)) Die("not as it was");
  }
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// --- benchmarks ---

void Run(benchmark::State& state, HashKind hash, const std::function<void(int)>& serve,
         double (*read)(const std::string&, HashKind)) {
  TheWorld().ManifestWith(hash);
  double cpu = 0;
  for (auto _ : state) {
    Child child(serve);
    cpu -= OwnCpuSeconds();
    state.SetIterationTime(read(child.address(), hash));
    cpu += OwnCpuSeconds() + child.End();
  }
  const auto bytes = static_cast<double>(Size()) * static_cast<double>(state.iterations());
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  // Of both processes, user and system: what other load on the machine changes least.
  state.counters["cpu_s/GB"] = cpu * 1e9 / bytes;
}

void BM_Bare(benchmark::State& state) {
  Run(state, static_cast<HashKind>(state.range(0)), ServeBare, ReadBare);
}

void BM_Nodes(benchmark::State& state) {
  const auto hash = static_cast<HashKind>(state.range(0));
  const auto path = static_cast<SendPath>(state.range(1));
  Run(
      state, hash, [=](int pipe) { ServeNode(path, hash, pipe); }, ReadFromNode);
}

constexpr auto kXxh3 = static_cast<int64_t>(HashKind::kXxh3);
constexpr auto kSha256 = static_cast<int64_t>(HashKind::kSha256);
constexpr auto kWrite = static_cast<int64_t>(SendPath::kWrite);
constexpr auto kSendfile = static_cast<int64_t>(SendPath::kSendfile);

BENCHMARK(BM_Bare)->ArgName("hash")->Arg(kXxh3)->Arg(kSha256)->UseManualTime();
BENCHMARK(BM_Nodes)
    ->ArgNames({"hash", "path"})
    ->Args({kXxh3, kWrite})
    ->Args({kXxh3, kSendfile})
    ->Args({kSha256, kWrite})
    ->UseManualTime();

}  // namespace
}  // namespace packice
