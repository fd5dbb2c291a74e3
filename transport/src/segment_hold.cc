#include "segment_hold.h"

#include "uds_channel.h"

namespace packice {

SegmentHold::~SegmentHold() {
  count_->fetch_sub(1, std::memory_order_release);
  if (!kept_.load(std::memory_order_relaxed)) return;
  const std::shared_ptr<UdsChannel> channel = channel_.lock();
  if (channel == nullptr) return;
  channel->ReleaseSoon(LeaseRequest{lease_id_, SessionId::kNone, OperationId::kNone});
}

}  // namespace packice
