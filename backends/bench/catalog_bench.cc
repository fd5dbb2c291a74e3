// What a durable change costs, alone and in company, and how long a start reads a large catalog.
// On the disk of the working directory.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/backends/catalog.h"
#include "packice/backends/piece_hash.h"

namespace packice {
namespace {

class Fixture {
 public:
  Fixture() : path_("catalog-bench-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
    directory_ = *DataDirectory::Open(path_);
    catalog_ = *Catalog::Open(*directory_, Clock::System());
    next_.store(catalog_->FirstSerial());
  }
  ~Fixture() {
    catalog_.reset();
    directory_.reset();
    std::filesystem::remove_all(path_);
  }

  Catalog& catalog() { return *catalog_; }

  bool Add() {
    const uint64_t serial = next_.fetch_add(1);
    const std::string id = absl::StrCat("bench/", serial * 0x9e3779b97f4a7c15u);
    const CatalogBlob blob{{serial, static_cast<uint8_t>(serial)}, 4096, 4096};
    CatalogEntry entry;
    entry.serial = serial;
    entry.id = id;
    entry.metadata = R"({"prev_objid":null})";
    entry.created_at = entry.sealed_at = absl::Now();
    entry.blobs = absl::MakeConstSpan(&blob, 1);
    return catalog_->Add(entry, absl::MakeConstSpan(&sums_, 1)).ok();
  }

 private:
  std::string path_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Catalog> catalog_;
  std::atomic<uint64_t> next_{0};
  const PieceSums sums_{{HashPiece("bench")}};
};

std::unique_ptr<Fixture> shared;  // of the threads of one benchmark

void BM_Add(benchmark::State& state) {
  if (state.thread_index() == 0) shared = std::make_unique<Fixture>();
  absl::Duration longest;
  for (auto _ : state) {
    const absl::Time start = absl::Now();
    if (!shared->Add()) {
      state.SkipWithError("an add failed");
      break;
    }
    longest = std::max(longest, absl::Now() - start);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["longest_ms"] =
      benchmark::Counter(absl::ToDoubleMilliseconds(longest), benchmark::Counter::kAvgThreads);
  if (state.thread_index() == 0) shared.reset();
}
BENCHMARK(BM_Add)->Threads(1)->Threads(8)->Threads(32)->UseRealTime();

// The argument is the number of objects; 1'000'000 when it is asked for by PACKICE_BENCH_LARGE.
void BM_ForEach(benchmark::State& state) {
  Fixture fixture;
  const int64_t objects =
      std::getenv("PACKICE_BENCH_LARGE") != nullptr ? 1'000'000 : state.range(0);
  std::vector<std::thread> writers;
  std::atomic<int64_t> left{objects};
  for (int t = 0; t < 64; ++t) {
    writers.emplace_back([&] {
      while (left.fetch_sub(1) > 0) {
        if (!fixture.Add()) std::abort();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (auto _ : state) {
    uint64_t bytes = 0;
    int64_t seen = 0;
    const absl::Status status = fixture.catalog().ForEach([&](const CatalogEntry& entry) {
      ++seen;
      bytes += entry.id.size() + entry.blobs[0].size;
    });
    if (!status.ok() || seen != objects) state.SkipWithError("objects are missing");
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * objects);
}
BENCHMARK(BM_ForEach)->Arg(1'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace packice
