// A peer that answers every call with one and the same failure, to see what becomes of it on its
// way. Thread-safe.
#pragma once

#include <utility>

#include "packice/core/error.h"
#include "packice/core/peer.h"

namespace packice {

class FailingPeer final : public Peer {
 public:
  explicit FailingPeer(absl::Status failure) : failure_(std::move(failure)) {}

  void Acquire(AcquireRequest, Done<absl::StatusOr<Grant>> done) override { Fail(done); }
  void Cancel(OperationId) override {}
  void Lookup(LeaseRequest, Done<absl::StatusOr<Grant>> done) override { Fail(done); }
  void Seal(SealRequest, Done<absl::StatusOr<Sealed>> done) override { Fail(done); }
  void Discard(LeaseRequest, Done<absl::Status> done) override { Fail(done); }
  void Release(LeaseRequest, Done<absl::Status> done) override {
    if (done != nullptr) Fail(done);
  }
  void Relocate(RelocateRequest, Done<absl::Status> done) override { Fail(done); }
  void Renew(RenewRequest, Done<absl::StatusOr<absl::Duration>> done) override { Fail(done); }
  void Stat(const ObjectId&, Done<absl::StatusOr<ObjectInfo>> done) override { Fail(done); }
  void List(ListRequest, Done<absl::StatusOr<ListPage>> done) override { Fail(done); }
  void Stats(Done<absl::StatusOr<PeerStats>> done) override { Fail(done); }
  void EndSession(SessionId) override {}

 private:
  template <typename Answer>
  void Fail(Done<Answer>& done) const {
    // A status of its own for each answer: it may move to another thread.
    std::move(done)(Answer(MakeError(KindOf(failure_), failure_.message())));
  }

  const absl::Status failure_;
};

}  // namespace packice
