#include "session_pids.h"

#include "absl/container/flat_hash_map.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

struct Table {
  Mutex mutex;
  absl::flat_hash_map<SessionId, int> pids ABSL_GUARDED_BY(mutex);
};

// Never destroyed: connections may outlive what is.
Table& TheTable() {
  static Table& table = *new Table;
  return table;
}

}  // namespace

void SessionPids::Add(SessionId session, int pid) {
  Table& table = TheTable();
  MutexLock lock(table.mutex);
  table.pids[session] = pid;
}

void SessionPids::Remove(SessionId session) {
  Table& table = TheTable();
  MutexLock lock(table.mutex);
  table.pids.erase(session);
}

absl::optional<int> SessionPids::Of(SessionId session) {
  Table& table = TheTable();
  MutexLock lock(table.mutex);
  const auto found = table.pids.find(session);
  if (found == table.pids.end()) return absl::nullopt;
  return found->second;
}

}  // namespace packice
