// What it costs to read an object out of another process's memory, against doing so in one: a map
// from ids to places, and memcpy. And what it costs the node to publish.
//
// percentiles: of single reads, with the clock's own cost taken off.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "packice/backends/read_index.h"
#include "packice/backends/read_index_view.h"

namespace packice {
namespace {

// The sizes that matter only when they are asked for by PACKICE_BENCH_LARGE: they take a minute.
const int64_t kMillion = std::getenv("PACKICE_BENCH_LARGE") != nullptr ? 1'000'000 : 20'000;

std::string IdOf(uint64_t i) { return absl::StrCat("shard-", i % 100, "/sample-", i); }

// `objects` of `size` in a segment of at most 1 GiB, known to an index and to a map.
struct Objects {
  Objects(uint64_t count, uint64_t object_size) : size(object_size) {
    const uint64_t bytes = std::min<uint64_t>(count * size, 1 << 30);
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    segment = absl::MakeSpan(static_cast<char*>(base), bytes);
    std::fill(segment.begin(), segment.end(), 'x');
    index = *ReadIndex::Create();
    map.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      ids.push_back(IdOf(i));
      const uint64_t offset = i * size % (bytes - size + 1) / 64 * 64;
      index->Publish({ids.back(), 0, offset, size});
      map[ids.back()] = offset;
    }
    view = *ReadIndexView::Open(index->descriptor()->get(), Clock::System());
    // In random order, but neighbours in memory, so that getting at the next id costs nothing.
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(1));
    ids = std::vector<std::string>(ids);
    for (const std::string& id : ids) view->Lookup(id);
  }
  ~Objects() {
    index.reset();
    munmap(segment.data(), segment.size());
  }

  const uint64_t size;
  absl::Span<char> segment;
  std::unique_ptr<ReadIndex> index;
  std::unique_ptr<ReadIndexView> view;
  absl::flat_hash_map<std::string, uint64_t> map;
  std::vector<std::string> ids;
};

Objects& Of(uint64_t count, uint64_t size) {
  static std::unique_ptr<Objects> kept;
  static uint64_t kept_count = 0;
  if (kept == nullptr || kept_count != count || kept->size != size) {
    kept.reset();
    kept = std::make_unique<Objects>(count, size);
    kept_count = count;
  }
  return *kept;
}

uint64_t Nanoseconds() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// Times each of the calls, and tells their percentiles without what two looks at the clock cost.
template <typename Read>
void Measure(benchmark::State& state, const Objects& objects, const Read& read) {
  std::vector<uint32_t> took;
  std::vector<uint64_t> idle;
  for (int i = 0; i < 10'001; ++i) {
    const uint64_t start = Nanoseconds();
    idle.push_back(Nanoseconds() - start);
  }
  std::nth_element(idle.begin(), idle.begin() + 5'000, idle.end());
  const uint64_t clock = idle[5'000];
  size_t next = 0;
  std::string out(objects.size, '\0');
  for (auto _ : state) {
    const std::string& id = objects.ids[next];
    if (++next == objects.ids.size()) next = 0;
    const uint64_t start = Nanoseconds();
    read(id, absl::MakeSpan(&out[0], out.size()));
    benchmark::ClobberMemory();
    const uint64_t all = Nanoseconds() - start;
    took.push_back(static_cast<uint32_t>(all > clock ? all - clock : 0));
  }
  std::sort(took.begin(), took.end());
  state.counters["p50_ns"] = took[took.size() / 2];
  state.counters["p99_ns"] = took[took.size() * 99 / 100];
}

void BM_Read(benchmark::State& state) {
  Objects& objects =
      Of(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  uint64_t missed = 0;
  Measure(state, objects, [&](const std::string& id, absl::Span<char> out) {
    const auto found = objects.view->Read(
        id, [&](uint32_t) { return absl::Span<const char>(objects.segment); }, out);
    if (found.outcome != ReadIndexView::Outcome::kFound) ++missed;
  });
  state.counters["missed"] = static_cast<double>(missed);
}
BENCHMARK(BM_Read)
    ->Args({kMillion, 1024})
    ->Args({kMillion / 100, 1024})
    ->Args({kMillion / 100, 64 << 10});

void BM_MapAndMemcpy(benchmark::State& state) {
  Objects& objects =
      Of(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  Measure(state, objects, [&](const std::string& id, absl::Span<char> out) {
    const auto at = objects.map.find(id);
    std::memcpy(out.data(), objects.segment.data() + at->second, out.size());
  });
}
BENCHMARK(BM_MapAndMemcpy)
    ->Args({kMillion, 1024})
    ->Args({kMillion / 100, 1024})
    ->Args({kMillion / 100, 64 << 10});

// The places alone: what remains when finding an object costs nothing.
void BM_Memcpy(benchmark::State& state) {
  Objects& objects =
      Of(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  std::mt19937_64 random(2);
  const uint64_t places = (objects.segment.size() - objects.size) / 64;
  std::vector<uint64_t> offsets(1 << 16);
  for (uint64_t& offset : offsets) offset = random() % places * 64;
  size_t next = 0;
  Measure(state, objects, [&](const std::string&, absl::Span<char> out) {
    const uint64_t offset = offsets[next++ % offsets.size()];
    std::memcpy(out.data(), objects.segment.data() + offset, out.size());
  });
}
BENCHMARK(BM_Memcpy)
    ->Args({kMillion, 1024})
    ->Args({kMillion / 100, 1024})
    ->Args({kMillion / 100, 64 << 10});

void BM_Lookup(benchmark::State& state) {
  Objects& objects = Of(static_cast<uint64_t>(state.range(0)), 1024);
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(objects.view->Lookup(objects.ids[next]));
    if (++next == objects.ids.size()) next = 0;
  }
}
BENCHMARK(BM_Lookup)->Arg(kMillion);

// From an empty index, growing on the way; the slowest call is among `worst_us`.
void BM_Publish(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  uint64_t worst = 0;
  double bytes = 0;
  for (auto _ : state) {
    auto index = *ReadIndex::Create();
    for (uint64_t i = 0; i < count; ++i) {
      const std::string id = IdOf(i);
      const uint64_t start = Nanoseconds();
      index->Publish({id, 0, i * 1024, 1024});
      worst = std::max(worst, Nanoseconds() - start);
    }
    bytes = static_cast<double>(index->bytes()) / static_cast<double>(index->entries());
    state.counters["lost"] = static_cast<double>(count - index->entries());
  }
  state.SetItemsProcessed(static_cast<int64_t>(count) * state.iterations());
  state.counters["worst_us"] = static_cast<double>(worst) / 1000;
  state.counters["bytes_each"] = bytes;
}
BENCHMARK(BM_Publish)
    ->Arg(kMillion)
    ->Arg(10 * kMillion)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// In an index that does not grow: one goes, one comes.
void BM_WithdrawAndPublish(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  auto index = *ReadIndex::Create();
  for (uint64_t i = 0; i < count; ++i) index->Publish({IdOf(i), 0, i * 1024, 1024});
  uint64_t next = count;
  for (auto _ : state) {
    index->Withdraw(IdOf(next - count));
    index->Publish({IdOf(next), 0, 0, 1024});
    ++next;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_WithdrawAndPublish)->Arg(kMillion / 10 * 9);

}  // namespace
}  // namespace packice
