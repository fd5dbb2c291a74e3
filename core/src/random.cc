#include "packice/core/random.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace packice {
namespace {

// Counts the forks between this process and the first: a buffer filled before a fork is also the
// parent's.
std::atomic<uint64_t> g_forks{0};

struct Buffer {
  uint8_t bytes[4096];
  size_t used = sizeof(bytes);
  uint64_t forks = 0;

  void Refill() {
    size_t filled = 0;
    while (filled < sizeof(bytes)) {
      const ssize_t n = getrandom(bytes + filled, sizeof(bytes) - filled, 0);
      // Only EINTR can happen here (getrandom(2)); without randomness no lease is safe to grant.
      if (n < 0 && errno != EINTR) std::abort();
      if (n > 0) filled += static_cast<size_t>(n);
    }
    used = 0;
  }
};

class SystemRandom final : public RandomSource {
 public:
  SystemRandom() {
    pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
  }

  void Fill(absl::Span<uint8_t> out) override {
    thread_local Buffer buffer;
    const uint64_t forks = g_forks.load(std::memory_order_relaxed);
    if (buffer.forks != forks) {
      buffer.forks = forks;
      buffer.used = sizeof(buffer.bytes);
    }
    while (!out.empty()) {
      if (buffer.used == sizeof(buffer.bytes)) buffer.Refill();
      const size_t n = std::min(out.size(), sizeof(buffer.bytes) - buffer.used);
      std::memcpy(out.data(), buffer.bytes + buffer.used, n);
      // What was handed out is not kept: a later leak of memory tells no lease id.
      std::memset(buffer.bytes + buffer.used, 0, n);
      buffer.used += n;
      out.remove_prefix(n);
    }
  }
};

}  // namespace

RandomSource& RandomSource::System() {
  static RandomSource& random = *new SystemRandom;
  return random;
}

}  // namespace packice
