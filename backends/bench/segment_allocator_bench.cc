// What a place in a segment costs, in time and in bookkeeping, and how much memory the segments
// hold for a fixed payload when objects come and go for long: for much longer, and with ten million
// objects, when PACKICE_BENCH_LARGE is set.
//
// `spans` and `segments` are bytes of spans in use and of all segments over those of the payload.
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include "benchmark/benchmark.h"
#include "segment_allocator.h"

namespace packice {
namespace {

using Place = SegmentAllocator::Place;

constexpr uint64_t kSegmentBytes = uint64_t{256} << 20;
constexpr uint64_t kBudget = uint64_t{4} << 30;
constexpr double kSmall = 4096;
constexpr double kMiddle = 256 * 1024;
constexpr double kLarge = 3.12 * 1024 * 1024;

bool Large() { return std::getenv("PACKICE_BENCH_LARGE") != nullptr; }

struct Object {
  Place place;
  uint64_t size = 0;
};

// Adds segments as they are needed, and removes them when they are empty.
class Owner {
 public:
  Place Allocate(uint64_t size) {
    absl::optional<Place> place = allocator_.Allocate(size);
    if (!place) {
      uint32_t id = 0;
      while (id < used_.size() && used_[id]) ++id;
      if (id == used_.size()) used_.push_back(false);
      used_[id] = true;
      allocator_.AddSegment(id, kSegmentBytes);
      place = allocator_.Allocate(size);
    }
    return *place;
  }

  void Free(const Object& object) {
    allocator_.Free(object.place, object.size);
    if (allocator_.usage(object.place.segment).objects > 0) return;
    allocator_.RemoveSegment(object.place.segment);
    used_[object.place.segment] = false;
  }

  const SegmentAllocator::Figures& figures() const { return allocator_.figures(); }

 private:
  SegmentAllocator allocator_;
  std::vector<bool> used_;
};

uint64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// range(0) objects of range(1) bytes, of which batches of any are freed and taken again.
class Batches {
 public:
  static constexpr size_t kBatch = 1000;

  explicit Batches(benchmark::State& state)
      : size_(static_cast<uint64_t>(state.range(1))),
        objects_(static_cast<size_t>(state.range(0))) {
    const uint64_t heap = HeapBytes();
    for (Object& object : objects_) object = {owner_.Allocate(size_), size_};
    state.counters["bookkeeping_per_object"] =
        static_cast<double>(HeapBytes() - heap) / static_cast<double>(objects_.size());
    // So that there are holes in all places.
    for (size_t i = 0; i < objects_.size() / 8; ++i) {
      std::swap(objects_[random_() % objects_.size()], objects_.back());
      owner_.Free(objects_.back());
      objects_.pop_back();
    }
  }

  void Choose() {
    for (size_t i = objects_.size() - kBatch; i < objects_.size(); ++i) {
      std::swap(objects_[random_() % objects_.size()], objects_[i]);
    }
  }
  void Free() {
    for (size_t i = objects_.size() - kBatch; i < objects_.size(); ++i) owner_.Free(objects_[i]);
  }
  void Allocate() {
    for (size_t i = objects_.size() - kBatch; i < objects_.size(); ++i) {
      objects_[i].place = owner_.Allocate(size_);
    }
  }

 private:
  const uint64_t size_;
  Owner owner_;
  std::vector<Object> objects_;
  std::minstd_rand random_{1};
};

void BM_Free(benchmark::State& state) {
  Batches batches(state);
  while (state.KeepRunningBatch(Batches::kBatch)) {
    state.PauseTiming();
    batches.Choose();
    state.ResumeTiming();
    batches.Free();
    state.PauseTiming();
    batches.Allocate();
    state.ResumeTiming();
  }
}

void BM_Allocate(benchmark::State& state) {
  Batches batches(state);
  while (state.KeepRunningBatch(Batches::kBatch)) {
    state.PauseTiming();
    batches.Choose();
    batches.Free();
    state.ResumeTiming();
    batches.Allocate();
  }
}

void Sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"objects", "size"});
  if (Large()) bench->Args({10'000'000, 1024});
  bench->Args({1'000'000, 1024});
  bench->Args({1'000'000, 64})->Args({1'000'000, 4096});
  bench->Args({100'000, 256 * 1024})->Args({10'000, 3271557});
}
BENCHMARK(BM_Free)->Apply(Sizes);
BENCHMARK(BM_Allocate)->Apply(Sizes);

// Of the second, each is spared with a chance of one half and is the youngest then, as if it had
// been used.
enum Eviction { kOldest, kOldestButHalf, kAny };

// Keeps the payload just within the budget.
class Cache {
 public:
  explicit Cache(Eviction eviction) : eviction_(eviction) {}

  void Put(uint64_t size) {
    while (owner_.figures().asked + size > kBudget) {
      full_ = true;
      Evict();
    }
    objects_.push_back({owner_.Allocate(size), size});
    ++puts_;
    if (full_) Watch();
  }

  bool full() const { return full_; }

  void Report(benchmark::State& state) const {
    state.counters["puts"] = static_cast<double>(puts_);
    state.counters["spans_worst"] = spans_worst_;
    state.counters["spans_mean"] = spans_sum_ / static_cast<double>(watched_);
    state.counters["segments_worst"] = segments_worst_;
    state.counters["segments_mean"] = segments_sum_ / static_cast<double>(watched_);
  }

 private:
  void Evict() {
    if (eviction_ == kAny) std::swap(objects_[random_() % objects_.size()], objects_.front());
    while (eviction_ == kOldestButHalf && random_() % 2 == 0) {
      objects_.push_back(objects_.front());
      objects_.pop_front();
    }
    owner_.Free(objects_.front());
    objects_.pop_front();
  }

  void Watch() {
    const SegmentAllocator::Figures& figures = owner_.figures();
    const double spans = static_cast<double>(figures.in_spans) / static_cast<double>(figures.asked);
    const double segments =
        static_cast<double>(figures.in_segments) / static_cast<double>(figures.asked);
    spans_worst_ = std::max(spans_worst_, spans);
    segments_worst_ = std::max(segments_worst_, segments);
    spans_sum_ += spans;
    segments_sum_ += segments;
    ++watched_;
  }

  const Eviction eviction_;
  Owner owner_;
  std::deque<Object> objects_;
  std::mt19937_64 random_{7};
  bool full_ = false;
  uint64_t puts_ = 0;
  uint64_t watched_ = 0;
  double spans_worst_ = 0;
  double spans_sum_ = 0;
  double segments_worst_ = 0;
  double segments_sum_ = 0;
};

// From half of `middle` to one and a half.
uint64_t Around(double middle, std::mt19937_64& random) {
  return static_cast<uint64_t>(middle * std::uniform_real_distribution<double>(0.5, 1.5)(random));
}

// 4 KiB, 256 KiB and 3.12 MiB, by 70, 20 and 10 % of the count; exactly these or around them.
void BM_Churn(benchmark::State& state) {
  for (auto _ : state) {
    Cache cache(static_cast<Eviction>(state.range(0)));
    std::mt19937_64 random(1);
    for (int i = Large() ? 4'000'000 : 200'000; i > 0; --i) {
      const uint64_t dice = random() % 10;
      const double size = dice < 7 ? kSmall : dice < 9 ? kMiddle : kLarge;
      cache.Put(state.range(1) != 0 ? Around(size, random) : static_cast<uint64_t>(size));
    }
    cache.Report(state);
  }
}
BENCHMARK(BM_Churn)
    ->ArgNames({"eviction", "spread"})
    ->ArgsProduct({{kOldest, kOldestButHalf, kAny}, {0, 1}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

// Sizes around 4 KiB grow to around 3.12 MiB and shrink again, twice; each way takes `turnover`
// times the budget.
void BM_Drift(benchmark::State& state) {
  const double way = static_cast<double>(kBudget) * static_cast<double>(state.range(1));
  for (auto _ : state) {
    Cache cache(static_cast<Eviction>(state.range(0)));
    std::mt19937_64 random(1);
    while (!cache.full()) cache.Put(Around(kSmall, random));
    for (double put = 0; put < 4 * way;) {
      const double phase = std::fmod(put / way, 2);
      const double large = phase < 1 ? phase : 2 - phase;
      const uint64_t size = Around(kSmall * std::pow(kLarge / kSmall, large), random);
      cache.Put(size);
      put += static_cast<double>(size);
    }
    cache.Report(state);
  }
}
BENCHMARK(BM_Drift)
    ->ArgNames({"eviction", "turnover"})
    ->Apply([](benchmark::internal::Benchmark* bench) {
      for (const int eviction : {kOldest, kOldestButHalf, kAny}) {
        bench->Args({eviction, 2});
        if (Large()) bench->Args({eviction, 8});
      }
    })
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace packice
