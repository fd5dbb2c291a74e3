#include "sdk/read_sections.h"

#include <chrono>
#include <thread>

namespace packice::sdk {
namespace {

// A reader that is inside is nearly through, or waits for a processor.
constexpr int kYields = 100;
constexpr auto kNap = std::chrono::microseconds(100);

}  // namespace

size_t ReadSections::ThisThreadsStripe() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t stripe = threads.fetch_add(1, std::memory_order_relaxed) % kStripes;
  return stripe;
}

void ReadSections::AwaitReaders() {
  const uint32_t side = side_.load(std::memory_order_relaxed);
  AwaitSide(1 - side);
  side_.store(1 - side, std::memory_order_relaxed);
  AwaitSide(side);
}

void ReadSections::AwaitSide(uint32_t side) {
  for (Stripe& stripe : stripes_) {
    for (int looks = 0; stripe.inside[side].load(std::memory_order_seq_cst) != 0; ++looks) {
      if (looks < kYields) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(kNap);
      }
    }
  }
}

}  // namespace packice::sdk
