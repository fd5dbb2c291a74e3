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
    case EventKind::kPeerJoined:
      return "peer_joined";
    case EventKind::kPeerLeft:
      return "peer_left";
    case EventKind::kPeerSuspected:
      return "peer_suspected";
    case EventKind::kDownloadStarted:
      return "download_started";
    case EventKind::kDownloadFinished:
      return "download_finished";
    case EventKind::kDownloadFailed:
      return "download_failed";
    case EventKind::kHolderBanned:
      return "holder_banned";
  }
  return "unknown";
}

absl::optional<EventKind> EventKindFromName(absl::string_view name) {
  for (int i = 0; i <= static_cast<int>(kLastEventKind); ++i) {
    const auto kind = static_cast<EventKind>(i);
    if (EventKindName(kind) == name) return kind;
  }
  return absl::nullopt;
}

EventSink& EventSink::Null() {
  static EventSink& sink = *new NullSink;
  return sink;
}

}  // namespace packice
