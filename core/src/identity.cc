#include "packice/core/identity.h"

#include <atomic>

namespace packice {

SessionId NewSessionId() {
  static std::atomic<uint64_t> next{1};
  return SessionId{next.fetch_add(1, std::memory_order_relaxed)};
}

OperationId NewOperationId() {
  static std::atomic<uint64_t> next{1};
  return OperationId{next.fetch_add(1, std::memory_order_relaxed)};
}

}  // namespace packice
