#include "segment_hold.h"

#include "uds_channel.h"

namespace packice {

SegmentHold::~SegmentHold() {
  count_->fetch_sub(1, std::memory_order_release);
  const pid_t kept_by = kept_by_.load(std::memory_order_relaxed);
  if (kept_by == 0 || kept_by != getpid()) return;
  const std::shared_ptr<UdsChannel> channel = channel_.lock();
  if (channel == nullptr) return;
  channel->ReleaseSoon(LeaseRequest{lease_id_, SessionId::kNone, OperationId::kNone});
}

}  // namespace packice
