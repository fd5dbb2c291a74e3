#include "packice/core/peer.h"

#include <numeric>
#include <utility>

#include "packice/core/error.h"

namespace packice {

uint64_t ObjectInfo::size() const {
  return std::accumulate(blob_sizes.begin(), blob_sizes.end(), uint64_t{0});
}

absl::string_view TierStateName(TierState state) {
  switch (state) {
    case TierState::kOk:
      return "ok";
    case TierState::kSlow:
      return "slow";
    case TierState::kFull:
      return "full";
    case TierState::kFailing:
      return "failing";
    case TierState::kDown:
      return "down";
  }
  return "unknown";
}

void Peer::Lookup(LeaseRequest, Done<absl::StatusOr<Grant>> done) {
  std::move(done)(MakeError(ErrorKind::kUnsupported, "this peer cannot look a lease up"));
}

void Peer::Relocate(RelocateRequest, Done<absl::Status> done) {
  std::move(done)(MakeError(ErrorKind::kUnsupported, "this peer cannot give an object another id"));
}

}  // namespace packice
