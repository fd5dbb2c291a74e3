// What a client's blobs in shared memory have of their lease: the node uses their bytes again when
// it is over, so that it may only be over when nobody shares them any more.
//
// Shared by the blobs of one grant and whatever was made of them; may outlive the peer.
// Thread-safe.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "packice/core/lease_id.h"

namespace packice {

class UdsChannel;

class SegmentHold {
 public:
  // `channel` is where the lease was granted; `count` is how many of these it has.
  SegmentHold(const LeaseId& lease_id, std::weak_ptr<UdsChannel> channel,
              std::shared_ptr<std::atomic<size_t>> count)
      : lease_id_(lease_id), channel_(std::move(channel)), count_(std::move(count)) {
    count_->fetch_add(1);
  }
  // Where Keep was called: tells the node that the bytes may go.
  ~SegmentHold();
  SegmentHold(const SegmentHold&) = delete;
  SegmentHold& operator=(const SegmentHold&) = delete;

  // The lease ends before this does; its end is told with `keep_bytes`.
  void Keep() { kept_by_.store(getpid(), std::memory_order_relaxed); }

  // Keeps a mapping of the bytes for as long as this is there. Before it is shared.
  void Add(std::shared_ptr<const void> view) { views_.push_back(std::move(view)); }

 private:
  const LeaseId lease_id_;
  const std::weak_ptr<UdsChannel> channel_;
  const std::shared_ptr<std::atomic<size_t>> count_;
  absl::InlinedVector<std::shared_ptr<const void>, 1> views_;
  std::atomic<pid_t> kept_by_{0};  // the process: a forked child tells the node nothing
};

}  // namespace packice
