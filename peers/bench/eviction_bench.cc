// What an eviction policy costs by itself, by the number of objects in it: hits on random objects,
// and insertions that each push a victim out.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/peers/eviction_spec.h"

namespace packice {
namespace {

class Filled {
 public:
  Filled(EvictionKind kind, size_t count) : entries_(count) {
    EvictionSpec spec;
    spec.kind = kind;
    policy_ = MakeEvictionPolicy(spec, count * 4096);
    for (size_t i = 0; i < count; ++i) Insert(i);
  }

  void Insert(size_t slot) {
    EvictionEntry& entry = entries_[slot];
    entry.id = *ObjectId::Parse(absl::StrCat("o", next_));
    entry.incarnation = slot;
    entry.charged = 4096;
    ++next_;
    policy_->Insert(entry);
  }

  EvictionPolicy& policy() { return *policy_; }
  EvictionEntry& entry(size_t slot) { return entries_[slot]; }

 private:
  std::vector<EvictionEntry> entries_;
  std::unique_ptr<EvictionPolicy> policy_;
  uint64_t next_ = 0;
};

void BM_Hit(benchmark::State& state, EvictionKind kind) {
  const auto count = static_cast<size_t>(state.range(0));
  Filled filled(kind, count);
  std::minstd_rand random;
  for (auto _ : state) filled.policy().Hit(filled.entry(random() % count));
  state.SetItemsProcessed(state.iterations());
}

void BM_PinAndUnpin(benchmark::State& state, EvictionKind kind) {
  Filled filled(kind, 1000);
  for (auto _ : state) {
    filled.policy().Pin(filled.entry(500));
    filled.policy().Unpin(filled.entry(500));
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_EvictAndInsert(benchmark::State& state, EvictionKind kind) {
  Filled filled(kind, static_cast<size_t>(state.range(0)));
  for (auto _ : state) filled.Insert(filled.policy().Evict()->incarnation);
  state.SetItemsProcessed(state.iterations());
}

// Ten million entries take a while to make and over a gigabyte: with PACKICE_BENCH_LARGE set.
bool RegisterAll() {
  const int64_t most = std::getenv("PACKICE_BENCH_LARGE") != nullptr ? 10'000'000 : 1'000'000;
  for (const EvictionKind kind : EvictionKinds()) {
    const std::string name(EvictionKindName(kind));
    benchmark::RegisterBenchmark(absl::StrCat("PinAndUnpin/", name).c_str(), BM_PinAndUnpin, kind);
    for (int64_t count = 10'000; count <= most; count *= 10) {
      benchmark::RegisterBenchmark(absl::StrCat("Hit/", name).c_str(), BM_Hit, kind)->Arg(count);
      benchmark::RegisterBenchmark(absl::StrCat("EvictAndInsert/", name).c_str(), BM_EvictAndInsert,
                                   kind)
          ->Arg(count);
    }
  }
  return true;
}

[[maybe_unused]] const bool registered = RegisterAll();

}  // namespace
}  // namespace packice
