// The node's shared memory as one connection of a client has mapped it: each segment once,
// read-only.
//
// Shared by a UdsChannel and by the blobs made here. Thread-safe; Learn blocks for mmap(2).
//
// A blob is good while its lease is, and the node ends the leases of a connection with the
// connection. Each blob therefore keeps the socket open: when the channel breaks on this side, or
// its peer goes, what has been read through it stays what it was.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "packice/core/shared_segment.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/protocol.h"
#include "packice/transport/uds_peer.h"
#include "segment_hold.h"

namespace packice {

class SegmentViews {
 public:
  explicit SegmentViews(std::shared_ptr<const UniqueFd> socket) : socket_(std::move(socket)) {}

  // Takes the segments that the reply brings, and lets go of those it says are dropped. In the
  // order of the replies: a later one counts on what an earlier one brought. `corrupt`, `capacity`.
  absl::Status Learn(const Reply& reply, std::vector<UniqueFd>& descriptors);

  // A blob that shares `hold`, which from now on keeps the mapping. `corrupt` for a segment that
  // the node has not passed, or a place that is not in it.
  absl::StatusOr<std::shared_ptr<Blob>> MakeBlob(const SegmentHandle& handle,
                                                 const std::shared_ptr<SegmentHold>& hold) const;

  std::vector<MappedSegment> All() const;

  // Made for the blobs of one grant. `channel` is that of this.
  std::shared_ptr<SegmentHold> MakeHold(const LeaseId& lease_id,
                                        std::weak_ptr<UdsChannel> channel) const;

  // Whether anybody shares a blob of this connection. Asked once the channel is marked as broken:
  // whoever makes a hold looks for the mark afterwards, so that one of the two sees the other.
  bool in_use() const { return holds_->load() > 0; }

 private:
  struct View {
    ~View();

    SharedSegment segment;
    absl::Span<const char> bytes;
    std::shared_ptr<const UniqueFd> socket;
  };

  absl::Status Learn(const GrantReply& grant, std::vector<UniqueFd>& descriptors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<View>> MakeView(const SegmentHandle& handle, UniqueFd fd) const;

  const std::shared_ptr<const UniqueFd> socket_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<View>> views_ ABSL_GUARDED_BY(mutex_);
  const std::shared_ptr<std::atomic<size_t>> holds_ = std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace packice
