// Random bytes that are the same in every run: a test that fails once fails again. Thread-safe.
#pragma once

#include <cstdint>
#include <random>

#include "absl/types/span.h"
#include "packice/core/mutex.h"
#include "packice/core/random.h"

namespace packice {

class FakeRandom final : public RandomSource {
 public:
  explicit FakeRandom(uint64_t seed = 1) : engine_(seed) {}

  void Fill(absl::Span<uint8_t> out) override {
    MutexLock lock(mutex_);
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(engine_());
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
