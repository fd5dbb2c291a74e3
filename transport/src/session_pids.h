// Which processes have the sessions of this process's Unix sockets, for messages. Of the whole
// process, because a session's number is; thread-safe.
#pragma once

#include "absl/types/optional.h"
#include "packice/core/identity.h"

namespace packice {

class SessionPids {
 public:
  static void Add(SessionId session, int pid);
  static void Remove(SessionId session);
  static absl::optional<int> Of(SessionId session);
};

}  // namespace packice
