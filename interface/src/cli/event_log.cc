#include "cli/event_log.h"

#include <glog/logging.h>

namespace packice::cli {

void EventLog::Publish(const Event& event) {
  next_.Publish(event);
  if (event.kind == EventKind::kRead) return;
  VLOG(1) << EventKindName(event.kind) << " " << event.object_id.ToQuoted() << ", " << event.size
          << " bytes, operation " << static_cast<uint64_t>(event.operation)
          << (event.tier.empty() ? "" : ", tier ") << event.tier
          << (event.detail.empty() ? "" : ": ") << event.detail;
}

}  // namespace packice::cli
