#include "packice/transport/uds_peer.h"

#include <utility>
#include <vector>

#include "uds_peer_impl.h"

namespace packice {

thread_local UdsPeer::Impl::Gathering* UdsPeer::Impl::gathering_ = nullptr;

UdsPeer::UdsPeer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UdsPeer::~UdsPeer() = default;

absl::StatusOr<std::unique_ptr<UdsPeer>> UdsPeer::Connect(UdsPeerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  absl::StatusOr<std::shared_ptr<UdsChannel>> channel = impl->Channel();
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<UdsPeer>(new UdsPeer(std::move(impl)));
}

void UdsPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  const SessionId session = request.session;
  const bool declared = !request.blob_sizes.empty();
  // Another process than the node's: it wants handles.
  request.written_here = false;
  UdsChannel::Call call;
  call.wait = request.wait;
  call.request.op = Op::kAcquire;
  if (request.wait == absl::ZeroDuration()) {
    call.answered = [impl = impl_.get(), session, declared, done = std::move(done)](
                        absl::StatusOr<Reply> reply, UdsChannel::Attached& attached) mutable {
      std::move(done)(impl->Granted(std::move(reply), session, declared, attached));
    };
  } else {
    auto wait = impl_->AddWait(request, std::move(done));
    call.answered = [this, wait, session, declared](absl::StatusOr<Reply> reply,
                                                    UdsChannel::Attached& attached) {
      absl::StatusOr<Grant> grant = impl_->Granted(std::move(reply), session, declared, attached);
      if (auto waiter = impl_->TakeWait(wait)) return std::move(waiter)(std::move(grant));
      // Given up meanwhile: the grant comes too late.
      if (grant.ok()) Release({grant->lease.id, session, wait->operation}, nullptr);
    };
  }
  call.request.body = std::move(request);
  impl_->Call(std::move(call));
}

void UdsPeer::Cancel(OperationId operation) {
  impl_->GiveUp([operation](const Impl::Wait& wait) { return wait.operation == operation; },
                MakeError(ErrorKind::kTimeout, "the wait was cancelled"));
}

void UdsPeer::EndSession(SessionId session) {
  impl_->GiveUp([session](const Impl::Wait& wait) { return wait.session == session; },
                MakeError(ErrorKind::kUnavailable, "the session has ended"));
  Gather([&] {
    for (const LeaseId& id : impl_->LeasesOf(session)) {
      Release({id, session, OperationId::kNone}, nullptr);
    }
  });
}

void UdsPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  if (absl::Status status = impl_->CheckSession(request.lease_id, request.session); !status.ok()) {
    return std::move(done)(status);
  }
  UdsChannel::Call call;
  call.request.op = Op::kSeal;
  call.request.body = std::move(request);
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  if (absl::Status status = impl_->CheckSession(request.lease_id, request.session); !status.ok()) {
    return std::move(done)(status);
  }
  UdsChannel::Call call;
  std::shared_ptr<SegmentHold> hold = impl_->HoldOf(request.lease_id);
  call.request.keep_bytes = hold != nullptr;
  call.request.op = Op::kDiscard;
  call.request.body = request;
  call.answered = [hold, done = std::move(done)](absl::StatusOr<Reply> reply,
                                                 UdsChannel::Attached&) mutable {
    const absl::Status status = As<DiscardReply>(std::move(reply)).status();
    if (status.ok() && hold != nullptr) hold->Keep();
    hold.reset();
    if (done) std::move(done)(status);
  };
  impl_->Call(std::move(call));
}

void UdsPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  if (absl::Status status = impl_->CheckSession(request.lease_id, request.session); !status.ok()) {
    if (done) std::move(done)(status);
    return;
  }
  impl_->Forget(request.lease_id);
  const std::shared_ptr<SegmentHold> hold = impl_->HoldOf(request.lease_id);
  if (!done && hold == nullptr) return impl_->ReleaseSoon(request);
  if (hold != nullptr) hold->Keep();
  UdsChannel::Call call;
  call.request.keep_bytes = hold != nullptr;
  call.request.op = Op::kRelease;
  call.request.body = request;
  call.answered = StatusTo<ReleaseReply>(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  if (absl::Status status = impl_->CheckSession(request.lease_id, request.session); !status.ok()) {
    return std::move(done)(status);
  }
  std::shared_ptr<SegmentHold> hold = impl_->HoldOf(request.lease_id);
  UdsChannel::Call call;
  call.request.keep_bytes = hold != nullptr;
  call.request.op = Op::kRelocate;
  call.answered = [impl = impl_.get(), hold, id = request.lease_id, done = std::move(done)](
                      absl::StatusOr<Reply> reply, UdsChannel::Attached&) mutable {
    const absl::Status status = As<RelocateReply>(std::move(reply)).status();
    if (status.ok()) impl->Forget(id);  // the lease is over
    if (status.ok() && hold != nullptr) hold->Keep();
    hold.reset();
    std::move(done)(status);
  };
  call.request.body = std::move(request);
  impl_->Call(std::move(call));
}

void UdsPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  if (absl::Status status = impl_->CheckSession(request.lease_id, request.session); !status.ok()) {
    return std::move(done)(status);
  }
  UdsChannel::Call call;
  call.request.op = Op::kRenew;
  call.request.body = request;
  call.answered = [impl = impl_.get(), id = request.lease_id, done = std::move(done)](
                      absl::StatusOr<Reply> reply, UdsChannel::Attached&) mutable {
    absl::StatusOr<RenewReply> renewed = As<RenewReply>(std::move(reply));
    if (!renewed.ok()) return std::move(done)(renewed.status());
    impl->Forget(id);  // with a TTL it belongs to no session
    std::move(done)(renewed->ttl);
  };
  impl_->Call(std::move(call));
}

void UdsPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  UdsChannel::Call call;
  call.request.op = Op::kStat;
  call.request.body = StatRequest{object_id};
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  UdsChannel::Call call;
  call.request.op = Op::kList;
  call.request.body = std::move(request);
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::Stats(Done<absl::StatusOr<PeerStats>> done) {
  NodeStats([done = std::move(done)](absl::StatusOr<StatsReply> stats) mutable {
    if (!stats.ok()) return std::move(done)(stats.status());
    std::move(done)(stats->peer);
  });
}

void UdsPeer::NodeStats(Done<absl::StatusOr<StatsReply>> done) {
  UdsChannel::Call call;
  call.request.op = Op::kStats;
  call.request.body = StatsRequest();
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::Events(EventsRequest request, Done<absl::StatusOr<EventPage>> done) {
  UdsChannel::Call call;
  call.wait = request.wait;
  call.request.op = Op::kEvents;
  call.request.body = request;
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

void UdsPeer::Extension(ExtensionRequest request, Done<absl::StatusOr<std::string>> done) {
  UdsChannel::Call call;
  call.wait = request.wait;
  call.request.op = Op::kExtension;
  call.request.body = std::move(request);
  call.answered = [done = std::move(done)](absl::StatusOr<Reply> reply,
                                           UdsChannel::Attached&) mutable {
    absl::StatusOr<ExtensionReply> answer = As<ExtensionReply>(std::move(reply));
    if (!answer.ok()) return std::move(done)(answer.status());
    std::move(done)(std::move(answer->json));
  };
  impl_->Call(std::move(call));
}

void UdsPeer::Gather(absl::FunctionRef<void()> calls) { impl_->Gather(calls); }

void UdsPeer::Await(absl::FunctionRef<void()> calls, Latch& done) { impl_->Await(calls, done); }

absl::StatusOr<SharedIndex> UdsPeer::OpenIndex() {
  Latch answered;
  absl::StatusOr<SharedIndex> index = SharedIndex();
  UdsChannel::Call call;
  call.request.op = Op::kIndex;
  call.request.body = IndexRequest();
  call.answered = [&](absl::StatusOr<Reply> reply, UdsChannel::Attached& attached) {
    index = TakeIndex(std::move(reply), attached);
    answered.Set();
  };
  impl_->Await([&] { impl_->Call(std::move(call)); }, answered);
  return index;
}

std::vector<MappedSegment> UdsPeer::Segments() {
  absl::StatusOr<std::shared_ptr<UdsChannel>> channel = impl_->Channel();
  if (!channel.ok()) return {};
  return (*channel)->segments().All();
}

std::shared_ptr<const NodeConnection> UdsPeer::Present() { return impl_->Present(); }

absl::StatusOr<HelloReply> UdsPeer::Hello() { return impl_->Hello(); }

}  // namespace packice
