// What an event costs whoever publishes it.
#include <atomic>
#include <string>
#include <thread>

#include "benchmark/benchmark.h"
#include "packice/core/event_ring.h"

namespace packice {
namespace {

EventRing& Ring() {
  static EventRing& ring = *new EventRing;
  return ring;
}

void BM_Publish(benchmark::State& state) {
  const ObjectId id = *ObjectId::Parse(std::string(static_cast<size_t>(state.range(0)), 'x'));
  for (auto _ : state) Ring().Publish(Event{EventKind::kSealed, OperationId{1}, id, 1});
}
BENCHMARK(BM_Publish)->Arg(12)->Arg(64)->Threads(1)->Threads(2)->UseRealTime();

// One reader asks again and again, as a client does that cannot keep up.
void BM_PublishWithAReader(benchmark::State& state) {
  const ObjectId id = *ObjectId::Parse("models/a");
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      Ring().Read(EventsRequest(), OperationId::kNone,
                  [](absl::StatusOr<EventPage> page) { benchmark::DoNotOptimize(page); });
    }
  });
  for (auto _ : state) Ring().Publish(Event{EventKind::kSealed, OperationId{1}, id, 1});
  stop = true;
  reader.join();
}
BENCHMARK(BM_PublishWithAReader)->UseRealTime();

void BM_WantsReads(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Ring().WantsReads());
}
BENCHMARK(BM_WantsReads);

}  // namespace
}  // namespace packice
