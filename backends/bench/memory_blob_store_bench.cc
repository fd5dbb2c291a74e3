// What a blob costs: created, written, sealed; by a client and by its node, in segments and apart.
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "benchmark/benchmark.h"
#include "packice/backends/memfd_blob.h"
#include "packice/backends/memory_blob_store.h"

namespace packice {
namespace {

// Keeps the latest hundred alive.
template <typename Create>
void Put(benchmark::State& state, const Create& create) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  std::deque<std::unique_ptr<Blob>> blobs;
  for (auto _ : state) {
    absl::StatusOr<std::unique_ptr<Blob>> blob = create(bytes.size());
    if (!blob.ok() || !(*blob)->Write(0, bytes).ok() || !(*blob)->Seal(absl::nullopt).ok()) {
      state.SkipWithError("a put failed");
      break;
    }
    blobs.push_back(*std::move(blob));
    if (blobs.size() > 100) blobs.pop_front();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_PutByAClient(benchmark::State& state) {
  MemoryBlobStore store;
  Put(state, [&](uint64_t size) { return store.Create(size); });
}
BENCHMARK(BM_PutByAClient)->Arg(1 << 10)->Arg(64 << 10)->Arg(256 << 10)->Arg(1 << 20);

void BM_PutByAClientApart(benchmark::State& state) {
  MemoryBlobStoreOptions options;
  options.segment_threshold = 0;
  MemoryBlobStore store(options);
  Put(state, [&](uint64_t size) { return store.Create(size); });
}
BENCHMARK(BM_PutByAClientApart)->Arg(1 << 10)->Arg(64 << 10)->Arg(256 << 10)->Arg(1 << 20);

void BM_PutHere(benchmark::State& state) {
  MemoryBlobStore store;
  Put(state, [&](uint64_t size) { return store.CreateHere(ObjectId(), size); });
}
BENCHMARK(BM_PutHere)->Arg(1 << 10)->Arg(64 << 10)->Arg(256 << 10)->Arg(1 << 20)->Arg(8 << 20);

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
