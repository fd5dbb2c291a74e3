// What a blob costs: created, written, sealed; with packing and without.
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "benchmark/benchmark.h"
#include "packice/backends/memfd_blob.h"
#include "packice/backends/memory_blob_store.h"

namespace packice {
namespace {

// Keeps the latest `kept` blobs alive.
void Put(benchmark::State& state, MemoryBlobStore& store, size_t kept) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  std::deque<std::unique_ptr<Blob>> blobs;
  for (auto _ : state) {
    auto blob = store.Create(bytes.size());
    if (!blob.ok() || !(*blob)->Write(0, bytes).ok() || !(*blob)->Seal(absl::nullopt).ok()) {
      state.SkipWithError("a put failed");
      break;
    }
    blobs.push_back(*std::move(blob));
    if (blobs.size() > kept) blobs.pop_front();
  }
  state.counters["packed"] = static_cast<double>(store.counters().packed_blobs);
}

void BM_Put(benchmark::State& state) {
  MemoryBlobStore store;
  Put(state, store, 100);
}
BENCHMARK(BM_Put)->Arg(1 << 10)->Arg(64 << 10)->Arg(1 << 20);

void BM_PutPacked(benchmark::State& state) {
  MemoryBlobStoreOptions options;
  options.high_water = 2'000;
  MemoryBlobStore store(options);
  Put(state, store, 20'000);
}
BENCHMARK(BM_PutPacked)->Arg(1 << 10)->Arg(16 << 10);

void BM_Describe(benchmark::State& state) {
  MemoryBlobStore store;
  auto blob = store.Create(1 << 10);
  if (!blob.ok() || !(*blob)->Seal(absl::nullopt).ok()) {
    state.SkipWithError("a put failed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize((*blob)->Describe());
}
BENCHMARK(BM_Describe);

void BM_DescribeMemfd(benchmark::State& state) {
  auto blob = MemfdBlob::Create(1 << 10);
  if (!blob.ok()) {
    state.SkipWithError("a put failed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize((*blob)->Describe());
}
BENCHMARK(BM_DescribeMemfd);

}  // namespace
}  // namespace packice
