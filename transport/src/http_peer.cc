#include "packice/transport/http_peer.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "blocking_pool.h"
#include "fork_registry.h"
#include "http_batches.h"
#include "http_channel.h"
#include "http_grants.h"
#include "http_leases.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/put.h"

namespace packice {
namespace {

using Answered = HttpChannel::Answered;

// How often it is looked which leases are due, and how soon one is tried again that was not
// renewed.
constexpr absl::Duration kTick = absl::Seconds(5);
// How long the end of a peer waits for that of its leases.
constexpr absl::Duration kFarewell = absl::Seconds(5);

// The reply as the type that the question asks for.
template <typename T>
absl::StatusOr<T> As(absl::StatusOr<Reply> reply) {
  if (!reply.ok()) return reply.status();
  if (auto* status = absl::get_if<absl::Status>(&*reply)) return *status;
  if (auto* value = absl::get_if<T>(&*reply)) return std::move(*value);
  return MakeError(ErrorKind::kCorrupt, "the node answered another question");
}

template <typename T>
Answered AnswerTo(Done<absl::StatusOr<T>> done) {
  return [done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
    std::move(done)(As<T>(std::move(reply)));
  };
}

template <typename Body>
HttpChannel::Call MakeCall(Op op, Body body, Answered answered) {
  HttpChannel::Call call;
  call.request.op = op;
  call.request.body = std::move(body);
  call.barrier = !answered;
  call.answered = std::move(answered);
  return call;
}

}  // namespace

class HttpPeer::Impl {
 public:
  Impl(HttpPeerOptions options, std::shared_ptr<const HttpWire> wire)
      : options_(std::move(options)), wire_(std::move(wire)), state_(new State) {
    AddForkHook(this, [](void* self) { static_cast<Impl*>(self)->state_ = new State; });
  }
  ~Impl() {
    RemoveForkHook(this);
    GiveUp([](const Wait&) { return true; },
           MakeError(ErrorKind::kUnavailable, "the client has ended"));
    ReleaseAll();
    std::shared_ptr<HttpChannel> channel;
    {
      MutexLock lock(state_->mutex);
      channel = std::move(state_->channel);
    }
    channel.reset();
    delete state_;
  }

  absl::Status Greet() {
    Latch latch;
    absl::StatusOr<HelloReply> hello = HelloReply();
    Call(MakeCall(Op::kHello, HelloRequest(), [&](absl::StatusOr<Reply> reply) {
      hello = As<HelloReply>(std::move(reply));
      latch.Set();
    }));
    latch.Wait();
    if (!hello.ok()) return hello.status();
    hello_ = *std::move(hello);
    if (hello_.protocol == kProtocolVersion) return absl::OkStatus();
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("the node speaks protocol ", hello_.protocol, ", this client ",
                                  kProtocolVersion));
  }
  const HelloReply& hello() const { return hello_; }
  Instant Now() const { return options_.clock->Now(); }
  HttpLeases& leases() { return state_->leases; }

  void Call(HttpChannel::Call call) {
    if (Gathering* gathering = gathering_;
        gathering != nullptr && gathering->peer == this && call.wait == absl::ZeroDuration()) {
      gathering->calls.push_back(std::move(call));
      return;
    }
    Channel()->Send(std::move(call));
  }

  void Gather(absl::FunctionRef<void()> calls) {
    Gathering gathering{this, {}};
    Gathering* outer = std::exchange(gathering_, &gathering);
    calls();
    gathering_ = outer;
    SendInBatches(std::move(gathering.calls));
  }

  // Of Put: answers come on the channel's thread, where nothing may block.
  BlockingPool& Writers() {
    constexpr size_t kThreads = 2;
    MutexLock lock(state_->mutex);
    if (state_->writers == nullptr) state_->writers = std::make_unique<BlockingPool>(kThreads);
    return *state_->writers;
  }

  // A waiting acquire that its caller may give up: the node then sees its connection go.
  struct Wait {
    OperationId operation;
    SessionId session;
    Done<absl::StatusOr<Grant>> done;  // guarded by the state's mutex, as is:
    absl::optional<HttpChannel::CallId> call;
  };
  std::shared_ptr<Wait> AddWait(const AcquireRequest& request, Done<absl::StatusOr<Grant>> done) {
    auto wait = std::make_shared<Wait>();
    wait->operation = request.operation;
    wait->session = request.session;
    MutexLock lock(state_->mutex);
    wait->done = std::move(done);
    state_->waits.insert(wait);
    return wait;
  }
  void StartWait(const std::shared_ptr<Wait>& wait, HttpChannel::Call call) {
    const std::shared_ptr<HttpChannel> channel = Channel();
    const HttpChannel::CallId id = channel->Send(std::move(call));
    MutexLock lock(state_->mutex);
    wait->call = id;
    if (!wait->done) channel->Abort(id);  // given up already, or answered
  }
  // Its callback; null when it was given up.
  Done<absl::StatusOr<Grant>> TakeWait(const std::shared_ptr<Wait>& wait) {
    MutexLock lock(state_->mutex);
    state_->waits.erase(wait);
    return std::exchange(wait->done, nullptr);
  }
  void GiveUp(const std::function<bool(const Wait&)>& which, const absl::Status& why) {
    std::vector<Done<absl::StatusOr<Grant>>> given_up;
    {
      MutexLock lock(state_->mutex);
      for (const auto& wait : state_->waits) {
        if (!which(*wait) || !wait->done) continue;
        given_up.push_back(std::exchange(wait->done, nullptr));
        if (wait->call) state_->channel->Abort(*wait->call);
      }
    }
    for (auto& done : given_up) std::move(done)(why);
  }

  // `kept`: the session that keeps the lease, if it has no TTL of its own.
  absl::StatusOr<Grant> Granted(absl::StatusOr<Reply> reply, absl::optional<SessionId> kept,
                                bool declared) {
    absl::StatusOr<GrantReply> granted = As<GrantReply>(std::move(reply));
    if (!granted.ok()) return granted.status();
    const LeaseId id = granted->lease_id;
    absl::StatusOr<Grant> grant =
        MakeHttpGrant(*std::move(granted), kept, declared, Now(), Transfer(), options_.hash);
    if (!grant.ok()) {
      Release(id);  // nobody has it who could
    } else if (kept) {
      leases().Track(id, *kept, Now());
    }
    return grant;
  }

  void Release(const LeaseId& id) {
    LeaseRequest request;
    request.lease_id = id;
    state_->unheard.store(true, std::memory_order_relaxed);
    Call(MakeCall(Op::kRelease, request, nullptr));
  }

  // Asks for new time for what is due; `done` is called when all of it was answered.
  void RenewDue(std::function<void()> done) {
    const Instant now = Now();
    const std::vector<LeaseId> due = leases().TakeDue(now);
    auto finished = std::shared_ptr<void>(nullptr, [done = std::move(done)](void*) { done(); });
    std::vector<HttpChannel::Call> calls;
    for (const LeaseId& id : due) {
      RenewRequest request;
      request.lease_id = id;
      request.ttl = kKeptTtl;
      calls.push_back(MakeCall(
          Op::kRenew, request, [state = state_, id, now, finished](absl::StatusOr<Reply> reply) {
            const absl::Status status = As<RenewReply>(std::move(reply)).status();
            if (status.ok()) return state->leases.Renewed(id, now);
            if (KindOf(status) == ErrorKind::kLeaseExpired) {
              return state->leases.Forget(id);
            }
            state->leases.NotRenewed(id, now);
          }));
    }
    SendInBatches(std::move(calls), /*barrier=*/true);
  }

 private:
  // Everything that belongs to this process. A forked child gets a new one and leaves the old one
  // behind, whose locks may be held by threads that the child does not have.
  struct State {
    Mutex mutex;
    std::shared_ptr<HttpChannel> channel ABSL_GUARDED_BY(mutex);
    std::shared_ptr<HttpTransfer> transfer ABSL_GUARDED_BY(mutex);
    std::unique_ptr<BlockingPool> writers ABSL_GUARDED_BY(mutex);  // null until it is needed
    std::set<std::shared_ptr<Wait>> waits ABSL_GUARDED_BY(mutex);
    HttpLeases leases{kKeepPeriod, kTick};
    std::atomic<bool> unheard{false};  // releases were sent whose answers nobody waits for
  };

  struct Gathering {
    Impl* peer;
    std::vector<HttpChannel::Call> calls;
  };

  std::shared_ptr<HttpChannel> Channel() {
    MutexLock lock(state_->mutex);
    if (state_->channel == nullptr) {
      state_->channel = std::make_shared<HttpChannel>(wire_, kTick, [this] { RenewDue([] {}); });
    }
    return state_->channel;
  }
  std::shared_ptr<HttpTransfer> Transfer() {
    MutexLock lock(state_->mutex);
    if (state_->transfer == nullptr) state_->transfer = std::make_shared<HttpTransfer>(wire_);
    return state_->transfer;
  }

  void SendInBatches(std::vector<HttpChannel::Call> calls, bool barrier = false) {
    for (HttpChannel::Call& call : InBatches(std::move(calls))) {
      call.barrier = call.barrier || barrier;
      Channel()->Send(std::move(call));
    }
  }

  void ReleaseAll() {
    const std::vector<LeaseId> all = leases().All();
    bool on_own_thread;
    {
      MutexLock lock(state_->mutex);
      on_own_thread = state_->channel != nullptr && state_->channel->IsThisThread();
    }
    // There nobody would send them: they end with their TTL.
    const bool unheard = state_->unheard.load(std::memory_order_relaxed);
    if ((all.empty() && !unheard) || on_own_thread) return;
    struct Farewell {
      Mutex mutex;
      CondVar changed;
      size_t missing ABSL_GUARDED_BY(mutex) = 0;
    };
    auto farewell = std::make_shared<Farewell>();
    const auto answered = [farewell](const absl::StatusOr<Reply>&) {
      MutexLock lock(farewell->mutex);
      if (--farewell->missing == 0) farewell->changed.NotifyAll();
    };
    std::vector<HttpChannel::Call> calls;
    for (const LeaseId& id : all) {
      LeaseRequest request;
      request.lease_id = id;
      calls.push_back(MakeCall(Op::kRelease, request, answered));
    }
    {
      MutexLock lock(farewell->mutex);
      farewell->missing = calls.size() + (unheard ? 1 : 0);
    }
    SendInBatches(std::move(calls));
    // Sent once the earlier releases were answered: they were barriers.
    if (unheard) Channel()->Send(MakeCall(Op::kHello, HelloRequest(), answered));
    const Instant deadline = Clock::System().Now() + kFarewell;
    MutexLock lock(farewell->mutex);
    while (farewell->missing > 0 && Clock::System().Now() < deadline) {
      farewell->changed.WaitFor(farewell->mutex, deadline - Clock::System().Now());
    }
  }

  const HttpPeerOptions options_;
  const std::shared_ptr<const HttpWire> wire_;
  HelloReply hello_;
  State* state_;
  static thread_local Gathering* gathering_;
};

thread_local HttpPeer::Impl::Gathering* HttpPeer::Impl::gathering_ = nullptr;

HttpPeer::HttpPeer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpPeer::~HttpPeer() = default;

absl::StatusOr<std::unique_ptr<HttpPeer>> HttpPeer::Connect(HttpPeerOptions options) {
  absl::StatusOr<std::shared_ptr<const HttpWire>> wire = HttpWire::Make(options);
  if (!wire.ok()) return wire.status();
  auto impl = std::make_unique<Impl>(std::move(options), *std::move(wire));
  if (absl::Status status = impl->Greet(); !status.ok()) return status;
  return std::unique_ptr<HttpPeer>(new HttpPeer(std::move(impl)));
}

void HttpPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  const bool declared = !request.blob_sizes.empty();
  absl::optional<SessionId> kept;
  if (!request.ttl || *request.ttl == absl::InfiniteDuration()) {
    kept = request.session;
    request.ttl = kKeptTtl;
  }
  const absl::Duration wait = request.wait;
  if (wait == absl::ZeroDuration()) {
    return impl_->Call(MakeCall(Op::kAcquire, std::move(request),
                                [impl = impl_.get(), kept, declared,
                                 done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
                                  std::move(done)(impl->Granted(std::move(reply), kept, declared));
                                }));
  }
  auto waiting = impl_->AddWait(request, std::move(done));
  HttpChannel::Call call =
      MakeCall(Op::kAcquire, std::move(request),
               [impl = impl_.get(), waiting, kept, declared](absl::StatusOr<Reply> reply) {
                 absl::StatusOr<Grant> grant = impl->Granted(std::move(reply), kept, declared);
                 if (auto waiter = impl->TakeWait(waiting))
                   return std::move(waiter)(std::move(grant));
                 if (!grant.ok()) return;
                 // Given up meanwhile: the grant comes too late.
                 impl->leases().Forget(grant->lease.id);
                 impl->Release(grant->lease.id);
               });
  call.wait = wait;
  impl_->StartWait(waiting, std::move(call));
}

void HttpPeer::Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) {
  PutGathered(
      *this, std::move(request),
      [impl = impl_.get()](BlockingPool::Job job) { impl->Writers().Run(std::move(job)); },
      std::move(done));
}

void HttpPeer::Cancel(OperationId operation) {
  impl_->GiveUp([operation](const Impl::Wait& wait) { return wait.operation == operation; },
                MakeError(ErrorKind::kTimeout, "the wait was cancelled"));
}

void HttpPeer::EndSession(SessionId session) {
  impl_->GiveUp([session](const Impl::Wait& wait) { return wait.session == session; },
                MakeError(ErrorKind::kUnavailable, "the session has ended"));
  Gather([&] {
    for (const LeaseId& id : impl_->leases().LeasesOf(session)) {
      Release({id, session, OperationId::kNone}, nullptr);
    }
  });
}

void HttpPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  absl::Status mine = impl_->leases().CheckSession(request.lease_id, request.session);
  if (!mine.ok()) return std::move(done)(std::move(mine));
  impl_->Call(MakeCall(Op::kSeal, std::move(request), AnswerTo(std::move(done))));
}

void HttpPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  absl::Status mine = impl_->leases().CheckSession(request.lease_id, request.session);
  if (!mine.ok()) return std::move(done)(std::move(mine));
  impl_->Call(MakeCall(Op::kDiscard, request,
                       [impl = impl_.get(), id = request.lease_id,
                        done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
                         absl::Status status = As<DiscardReply>(std::move(reply)).status();
                         if (status.ok()) impl->leases().Forget(id);
                         std::move(done)(std::move(status));
                       }));
}

void HttpPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  absl::Status mine = impl_->leases().CheckSession(request.lease_id, request.session);
  if (!mine.ok()) {
    if (done) std::move(done)(std::move(mine));
    return;
  }
  impl_->leases().Forget(request.lease_id);
  if (!done) return impl_->Release(request.lease_id);
  impl_->Call(MakeCall(Op::kRelease, request,
                       [done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
                         std::move(done)(As<ReleaseReply>(std::move(reply)).status());
                       }));
}

void HttpPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  absl::Status mine = impl_->leases().CheckSession(request.lease_id, request.session);
  if (!mine.ok()) return std::move(done)(std::move(mine));
  const LeaseId id = request.lease_id;
  impl_->Call(MakeCall(
      Op::kRelocate, std::move(request),
      [impl = impl_.get(), id, done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
        absl::Status status = As<RelocateReply>(std::move(reply)).status();
        if (status.ok()) impl->leases().Forget(id);  // the lease is over
        std::move(done)(std::move(status));
      }));
}

void HttpPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  absl::Status mine = impl_->leases().CheckSession(request.lease_id, request.session);
  if (!mine.ok()) return std::move(done)(std::move(mine));
  const LeaseId id = request.lease_id;
  impl_->leases().Suspend(id);
  impl_->Call(MakeCall(
      Op::kRenew, request,
      [impl = impl_.get(), id, done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
        absl::StatusOr<RenewReply> renewed = As<RenewReply>(std::move(reply));
        if (!renewed.ok()) {
          impl->leases().Resume(id);
          return std::move(done)(renewed.status());
        }
        impl->leases().Forget(id);  // with a TTL it belongs to no session
        std::move(done)(renewed->ttl);
      }));
}

void HttpPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  impl_->Call(MakeCall(Op::kStat, StatRequest{object_id}, AnswerTo(std::move(done))));
}

void HttpPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  impl_->Call(MakeCall(Op::kList, std::move(request), AnswerTo(std::move(done))));
}

void HttpPeer::Stats(Done<absl::StatusOr<PeerStats>> done) {
  NodeStats([done = std::move(done)](absl::StatusOr<StatsReply> stats) mutable {
    if (!stats.ok()) return std::move(done)(stats.status());
    std::move(done)(stats->peer);
  });
}

void HttpPeer::NodeStats(Done<absl::StatusOr<StatsReply>> done) {
  impl_->Call(MakeCall(Op::kStats, StatsRequest(), AnswerTo(std::move(done))));
}

void HttpPeer::Events(EventsRequest request, Done<absl::StatusOr<EventPage>> done) {
  HttpChannel::Call call = MakeCall(Op::kEvents, request, AnswerTo(std::move(done)));
  call.wait = request.wait;
  impl_->Call(std::move(call));
}

void HttpPeer::Extension(ExtensionRequest request, Done<absl::StatusOr<std::string>> done) {
  // A timer knows no infinity.
  const absl::Duration wait = std::min(request.wait, absl::Hours(24 * 365));
  HttpChannel::Call call = MakeCall(Op::kExtension, std::move(request),
                                    [done = std::move(done)](absl::StatusOr<Reply> reply) mutable {
                                      absl::StatusOr<ExtensionReply> answer =
                                          As<ExtensionReply>(std::move(reply));
                                      if (!answer.ok()) return std::move(done)(answer.status());
                                      std::move(done)(std::move(answer->json));
                                    });
  call.wait = wait;
  impl_->Call(std::move(call));
}

void HttpPeer::Gather(absl::FunctionRef<void()> calls) { impl_->Gather(calls); }

HelloReply HttpPeer::Hello() const { return impl_->hello(); }

void HttpPeer::RunDue() {
  Latch latch;
  impl_->RenewDue([&latch] { latch.Set(); });
  latch.Wait();
}

}  // namespace packice
