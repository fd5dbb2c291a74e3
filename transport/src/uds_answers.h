// From a node's replies to what a Peer's callers were promised. Used by UdsPeer.
#pragma once

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/protocol.h"
#include "uds_channel.h"

namespace packice {

// The object that a granted lease is for, over the descriptors that came with it and the files that
// it names. `declared`: its size was, if it is being created. `unsupported` when the node offers
// neither for a blob; else what PathBlob and a descriptor can fail with.
absl::StatusOr<Grant> MakeGrant(GrantReply reply, SessionId session, bool declared,
                                std::vector<UniqueFd>& descriptors);

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
  return [done = std::move(done)](absl::StatusOr<Reply> reply, std::vector<UniqueFd>&) mutable {
    std::move(done)(As<T>(std::move(reply)));
  };
}

template <typename T>
UdsChannel::Answered StatusTo(Done<absl::Status> done) {
  if (!done) return nullptr;
  return [done = std::move(done)](absl::StatusOr<Reply> reply, std::vector<UniqueFd>&) mutable {
    std::move(done)(As<T>(std::move(reply)).status());
  };
}

}  // namespace packice
