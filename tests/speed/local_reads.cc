#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <random>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "local_rows.h"
#include "pinning.h"

namespace packice {
namespace {

constexpr size_t kSize = 1024;
constexpr size_t kPieceSize = 64 * 1024;
constexpr int kObjects = 1'000'000;
constexpr int kPieces = 1000;
constexpr int kBatch = 100'000;
constexpr int kPieceBatch = 10'000;
constexpr size_t kSmallPart = 100'000;  // objects whose ids are in memory at a time
constexpr auto kReadFor = std::chrono::milliseconds(1000);
constexpr int kReadsBetweenLooks = 256;

std::string IdOf(absl::string_view prefix, int number) { return absl::StrCat(prefix, "/", number); }

// Some of the ids, picked at random and in the order in which they are to be read, so that ids are
// in the cache and objects are not.
std::vector<std::string> Picked(absl::string_view prefix, int objects, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> any(0, objects - 1);
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(IdOf(prefix, any(random)));
  return ids;
}

using Map = absl::flat_hash_map<std::string, std::string>;

// Objects that the node has, and keeps, and the same in this process.
class Objects {
 public:
  Objects(Client& client, std::string prefix, int count, size_t size)
      : client_(client), prefix_(std::move(prefix)), count_(count) {
    const std::string bytes(size, 'x');
    map_.reserve(static_cast<size_t>(count));
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      ids.push_back(IdOf(prefix_, i));
      map_.emplace(ids.back(), bytes);
      if (ids.size() < kSmallPart && i + 1 < count) continue;
      PutAll(client_, ids, bytes);
      ids.clear();
    }
  }

  void Measure(SpeedTable& table, SpeedTable::Line line, size_t size) {
    const std::vector<std::string> ids = Picked(prefix_, count_, line.batch, 1);
    std::string out(size, 'y');
    size_t next = 0;
    size_t next_beside = 0;
    line.ours = [&] {
      if (ReadObject(client_, ids[next], absl::MakeSpan(out.data(), size)) != size) std::abort();
      next = next + 1 < ids.size() ? next + 1 : 0;
    };
    line.beside = [&] {
      const auto found = map_.find(ids[next_beside]);
      std::memcpy(out.data(), found->second.data(), size);
      asm volatile("" : : "r"(out.data()) : "memory");
      next_beside = next_beside + 1 < ids.size() ? next_beside + 1 : 0;
    };
    table.Time(line);
  }

 private:
  Client& client_;
  const std::string prefix_;
  const int count_;
  Map map_;
};

// What processes that read tell one another. In memory that they share.
struct Signals {
  std::atomic<int> ready{0};
  std::atomic<bool> begin{false};
  std::atomic<bool> end{false};
  std::atomic<uint64_t> reads{0};
};

[[noreturn]] void ReadUntilEnd(Signals& signals, const std::string& socket, int objects,
                               int number) {
  PinTo(number % 2);
  const std::unique_ptr<Client> client = Must(Connect(socket));
  const std::vector<std::string> ids =
      Picked("small", objects, std::min(objects, kBatch), static_cast<unsigned>(number));
  std::string out(kSize, 'y');
  size_t next = 0;
  uint64_t reads = 0;
  const auto read_some = [&] {
    for (int i = 0; i < kReadsBetweenLooks; ++i, ++reads) {
      if (ReadObject(*client, ids[next], absl::MakeSpan(out.data(), kSize)) != kSize) std::abort();
      next = next + 1 < ids.size() ? next + 1 : 0;
    }
  };
  while (next + kReadsBetweenLooks < ids.size()) read_some();  // pages are mapped by then
  reads = 0;
  signals.ready.fetch_add(1);
  while (!signals.begin.load()) std::this_thread::yield();
  while (!signals.end.load(std::memory_order_relaxed)) read_some();
  signals.reads.fetch_add(reads);
  _exit(0);
}

// Reads a second of this many processes, together.
double ReadersRate(const std::string& socket, int objects, int readers,
                   std::chrono::duration<double> duration) {
  void* const shared =
      mmap(nullptr, sizeof(Signals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  Signals& signals = *new (shared) Signals;
  std::vector<pid_t> children;
  for (int i = 0; i < readers; ++i) {
    children.push_back(fork());
    if (children.back() < 0) std::abort();
    if (children.back() == 0) ReadUntilEnd(signals, socket, objects, i);
  }
  while (signals.ready.load() < readers) usleep(1000);
  const auto start = std::chrono::steady_clock::now();
  signals.begin.store(true);
  std::this_thread::sleep_for(duration);
  signals.end.store(true);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) std::abort();
  }
  const double rate = static_cast<double>(signals.reads.load()) / took.count();
  munmap(shared, sizeof(Signals));
  return rate;
}

}  // namespace

size_t ReadObject(Client& client, absl::string_view id, absl::Span<char> out) {
  return Must(client.ReadInto(id, out));
}

void MeasureReads(const LocalSetup& setup) {
  if (!setup.table.Wanted("read")) return;
  const int objects = setup.table.Few(kObjects);
  const std::string among = absl::StrCat(" of ", objects, " objects at random");
  {
    setup.table.BeginTimes("Reads without a message, microseconds");
    Objects pieces(setup.client, "pieces", setup.table.Few(kPieces), kPieceSize);
    SpeedTable::Line line;
    line.name = absl::StrCat("read 64 KiB of ", setup.table.Few(kPieces), " objects at random");
    line.batch = kPieceBatch;
    line.beside_name = "flat_hash_map and memcpy";
    line.target = "1.3x";
    pieces.Measure(setup.table, line, kPieceSize);
  }
  Objects small(setup.client, "small", objects, kSize);
  SpeedTable::Line line;
  line.name = absl::StrCat("read 1 KiB", among);
  line.batch = kBatch;
  line.beside_name = "flat_hash_map and memcpy";
  line.target = "2x; 0.3, p99 1 us";
  small.Measure(setup.table, line, kSize);

  setup.table.BeginRates("Processes that read, on both cores, thousands a second together");
  const std::chrono::duration<double> duration =
      setup.table.rounds() > 1 ? kReadFor : kReadFor / 20;
  for (const int readers : {1, 2, 8}) {
    SpeedTable::RateLine rate;
    rate.name =
        absl::StrCat("read 1 KiB", among, ", ", readers, readers == 1 ? " process" : " processes");
    rate.ours = [&, readers] {
      return ReadersRate(setup.node.socket(), objects, readers, duration);
    };
    if (readers > 1) {
      rate.beside_name = "1 process";
      rate.beside = [&] { return ReadersRate(setup.node.socket(), objects, 1, duration); };
    }
    setup.table.Rate(rate);
  }
}

}  // namespace packice
