// Process-wide names for who asks and for what is going on. Values, handed out by counters;
// thread-safe.
#pragma once

#include <cstdint>

namespace packice {

// Who holds leases that have no TTL: a connection, or a client in the same process. Such leases end
// with their session and no other session may use them.
enum class SessionId : uint64_t { kNone = 0 };

SessionId NewSessionId();

// One operation, however many peers and events it passes through.
enum class OperationId : uint64_t { kNone = 0 };

OperationId NewOperationId();

}  // namespace packice
