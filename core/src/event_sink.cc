#include "packice/core/event_sink.h"

namespace packice {
namespace {

class NullSink final : public EventSink {
 public:
  void Publish(const Event&) override {}
};

}  // namespace

absl::string_view EventKindName(EventKind kind) {
  switch (kind) {
    case EventKind::kCreated:
      return "created";
    case EventKind::kSealed:
      return "sealed";
    case EventKind::kDiscarded:
      return "discarded";
    case EventKind::kAbandoned:
      return "abandoned";
    case EventKind::kEvicted:
      return "evicted";
    case EventKind::kExpired:
      return "expired";
    case EventKind::kRelocated:
      return "relocated";
    case EventKind::kQuarantined:
      return "quarantined";
    case EventKind::kLeaseExpired:
      return "lease_expired";
    case EventKind::kRead:
      return "read";
    case EventKind::kDemoted:
      return "demoted";
    case EventKind::kPromoted:
      return "promoted";
    case EventKind::kTierDegraded:
      return "tier_degraded";
    case EventKind::kTierRecovered:
      return "tier_recovered";
  }
  return "unknown";
}

EventSink& EventSink::Null() {
  static EventSink& sink = *new NullSink;
  return sink;
}

}  // namespace packice
