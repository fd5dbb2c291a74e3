// From a node's replies to what a Peer's callers were promised. Used by UdsPeer.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/protocol.h"
#include "packice/transport/uds_peer.h"
#include "uds_channel.h"

namespace packice {

// The object that a granted lease is for, over the descriptors that came with it, the files that it
// names and the node's shared memory; `hold` is what its blobs there share, or null. `declared`:
// its size was, if it is being created. `unsupported` when the node offers none of these for a
// blob; `unavailable` where the channel broke, and memory there is not to be relied on; else what
// PathBlob and a descriptor can fail with.
absl::StatusOr<Grant> MakeGrant(GrantReply reply, SessionId session, bool declared,
                                UdsChannel::Attached& attached, std::shared_ptr<SegmentHold>& hold);

// What came with the answer to `index`. `corrupt`.
absl::StatusOr<SharedIndex> TakeIndex(absl::StatusOr<Reply> reply, UdsChannel::Attached& attached);

// The reply as the type that the question asks for.
template <typename T>
absl::StatusOr<T> As(absl::StatusOr<Reply> reply) {
  if (!reply.ok()) return reply.status();
  if (auto* status = absl::get_if<absl::Status>(&*reply)) return *status;
  if (auto* value = absl::get_if<T>(&*reply)) return std::move(*value);
  return MakeError(ErrorKind::kCorrupt, "the node answered another question");
}

template <typename T>
UdsChannel::Answered AnswerTo(Done<absl::StatusOr<T>> done) {
  return [done = std::move(done)](absl::StatusOr<Reply> reply, UdsChannel::Attached&) mutable {
    std::move(done)(As<T>(std::move(reply)));
  };
}

template <typename T>
UdsChannel::Answered StatusTo(Done<absl::Status> done) {
  if (!done) return nullptr;
  return [done = std::move(done)](absl::StatusOr<Reply> reply, UdsChannel::Attached&) mutable {
    std::move(done)(As<T>(std::move(reply)).status());
  };
}

}  // namespace packice
