#include "sdk/fork_generation.h"

#include <pthread.h>

#include <atomic>

namespace packice::sdk {
namespace {

std::atomic<uint64_t> generation{0};

void CountFork() { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

uint64_t ForkGeneration() {
  static const int registered = pthread_atfork(nullptr, nullptr, &CountFork);
  (void)registered;
  return generation.load(std::memory_order_relaxed);
}

}  // namespace packice::sdk
