// The inside of UdsPeer: its connection, made anew when it breaks and after a fork, and what is
// gathered for one message. Thread-safe.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "fork_registry.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"
#include "packice/transport/uds_peer.h"
#include "uds_answers.h"
#include "uds_batches.h"
#include "uds_channel.h"
#include "uds_staging.h"
#include "unix_socket.h"

namespace packice {

class UdsPeer::Impl {
 public:
  explicit Impl(UdsPeerOptions options) : options_(std::move(options)), state_(new State) {
    AddForkHook(this, &InChild);
  }
  ~Impl() {
    RemoveForkHook(this);
    // The end of the channel answers what is unanswered, which still needs the state.
    std::shared_ptr<UdsChannel> channel;
    {
      MutexLock lock(state_->mutex);
      channel = std::move(state_->channel);
    }
    if (channel != nullptr) channel->End();
    delete state_;
  }

  // The channel to use now: connected anew where there is none that works.
  absl::StatusOr<std::shared_ptr<UdsChannel>> Channel() {
    State& state = *state_;
    std::shared_ptr<UdsChannel> broken;  // dies after the lock: its end may run callbacks
    MutexLock lock(state.mutex);
    if (state.channel != nullptr && !state.channel->broken()) return state.channel;
    absl::StatusOr<UniqueFd> socket = ConnectUnix(options_.path);
    if (!socket.ok()) return socket.status();
    absl::StatusOr<unsigned> uid = PeerUid(socket->get());
    if (!uid.ok()) return uid.status();
    if (*uid != geteuid() && *uid != 0 && geteuid() != 0) {
      return MakeError(ErrorKind::kPermissionDenied,
                       absl::StrCat(options_.path, " is served by another user (uid ", *uid, ")"));
    }
    auto channel =
        std::make_shared<UdsChannel>(*std::move(socket), options_.call_timeout, options_.spin);
    absl::StatusOr<HelloReply> hello = Greet(*channel);
    if (!hello.ok()) return hello.status();
    if (hello->protocol != kProtocolVersion) {
      return MakeError(ErrorKind::kUnsupported,
                       absl::StrCat("the node speaks protocol ", hello->protocol, ", this client ",
                                    kProtocolVersion));
    }
    state.hello = *std::move(hello);
    state.socket.store(channel->socket());
    state.puts.store(Has(state.hello, kFeaturePut), std::memory_order_relaxed);
    broken = std::exchange(state.channel, channel);
    state.staging = nullptr;
    state.asked_staging = false;
    // Of leases with a TTL, which did not end with the connection.
    if (broken != nullptr) {
      for (LeaseRequest& lease : broken->TakeReleases()) channel->ReleaseSoon(std::move(lease));
    }
    state.leases.clear();
    state.holds.clear();
    return channel;
  }

  std::shared_ptr<const NodeConnection> Present() {
    MutexLock lock(state_->mutex);
    if (state_->channel == nullptr || state_->channel->broken()) return nullptr;
    return state_->channel->connection();
  }

  // The connection's staging area. Nothing while there is none: the first call asks for it and does
  // not wait.
  struct Staged {
    std::shared_ptr<UdsChannel> channel;
    std::shared_ptr<UdsStaging> area;
  };
  Staged Staging() {
    State& state = *state_;
    std::shared_ptr<UdsChannel> channel;
    {
      MutexLock lock(state.mutex);
      if (state.channel == nullptr || state.channel->broken()) return {};
      if (std::exchange(state.asked_staging, true)) return {state.channel, state.staging};
      channel = state.channel;
    }
    UdsChannel::Call call;
    call.request.op = Op::kStage;
    call.request.body = StageRequest();
    call.answered = [&state, asked = channel.get()](absl::StatusOr<Reply> reply,
                                                    UdsChannel::Attached& attached) {
      const absl::StatusOr<StageReply> stage = As<StageReply>(std::move(reply));
      if (!stage.ok() || stage->index >= attached.descriptors.size()) return;
      auto area = UdsStaging::Map(std::move(attached.descriptors[stage->index]), stage->size);
      MutexLock lock(state.mutex);
      if (area.ok() && state.channel.get() == asked) state.staging = *std::move(area);
    };
    channel->Send(absl::MakeSpan(&call, 1));
    return {};
  }

  const UdsPeerOptions& options() const { return options_; }
  // Whether the node knows put, as far as it has said so.
  bool puts() const { return state_->puts.load(std::memory_order_relaxed); }

  // A release whose answer nobody wants goes with the next message, or soon. Gathered calls keep
  // their order.
  void ReleaseSoon(LeaseRequest lease) {
    if (!IsGathering()) {
      std::shared_ptr<UdsChannel> channel;
      {
        MutexLock lock(state_->mutex);
        channel = state_->channel;
      }
      if (channel != nullptr && !channel->broken()) return channel->ReleaseSoon(std::move(lease));
    }
    UdsChannel::Call call;
    call.request.op = Op::kRelease;
    call.request.body = std::move(lease);
    Call(std::move(call));
  }

  void Call(UdsChannel::Call call) {
    if (IsGathering() && call.wait == absl::ZeroDuration()) {
      gathering_->calls.push_back(std::move(call));
      return;
    }
    SendGathered();
    Send(absl::MakeSpan(&call, 1));
  }

  void Gather(absl::FunctionRef<void()> calls) {
    Gathering gathering{this, {}};
    Gathering* outer = std::exchange(gathering_, &gathering);
    calls();
    // What callbacks ask for while this is sent is not gathered any more.
    gathering_ = outer;
    SendTogether(std::move(gathering.calls));
  }
  // What has been gathered goes before whatever is not gathered.
  void SendGathered() {
    if (IsGathering()) SendTogether(std::exchange(gathering_->calls, {}));
  }

  void Await(absl::FunctionRef<void()> calls, Latch& done) {
    absl::StatusOr<std::shared_ptr<UdsChannel>> channel = Channel();
    if (channel.ok()) {
      (*channel)->Await(calls, done);
    } else {
      calls();  // they fail for the same reason, or connect after all
    }
    // The calls may have gone to a channel made in between.
    while (!done.IsSet()) {
      channel = Channel();
      if (!channel.ok()) return done.Wait();
      (*channel)->Await([] {}, done);
    }
  }

  absl::StatusOr<HelloReply> Hello() {
    absl::StatusOr<std::shared_ptr<UdsChannel>> channel = Channel();
    if (!channel.ok()) return channel.status();
    MutexLock lock(state_->mutex);
    return state_->hello;
  }

  // Leases of sessions that share this connection: the node cannot tell those sessions apart.
  void Track(const Lease& lease, const std::shared_ptr<SegmentHold>& hold) {
    const bool has_session = lease.session != SessionId::kNone;
    if (!has_session && hold == nullptr) return;
    MutexLock lock(state_->mutex);
    if (has_session) state_->leases.emplace(lease.id, lease.session);
    if (hold == nullptr) return;
    auto& holds = state_->holds;
    holds.emplace(lease.id, hold);
    if (holds.size() < state_->look_at_holds) return;
    absl::erase_if(holds, [](const auto& entry) { return entry.second.expired(); });
    state_->look_at_holds = 2 * holds.size() + 64;
  }
  // What the objects of a lease share, where these lie in the node's shared memory and somebody
  // still has them: the bytes then have to stay when the lease ends. Else null.
  std::shared_ptr<SegmentHold> HoldOf(const LeaseId& id) {
    MutexLock lock(state_->mutex);
    const auto it = state_->holds.find(id);
    if (it == state_->holds.end()) return nullptr;
    std::shared_ptr<SegmentHold> hold = it->second.lock();
    if (hold == nullptr) state_->holds.erase(it);
    return hold;
  }
  void Forget(const LeaseId& id) {
    MutexLock lock(state_->mutex);
    state_->leases.erase(id);
  }
  absl::Status CheckSession(const LeaseId& id, SessionId session) {
    MutexLock lock(state_->mutex);
    if (state_->leases.empty()) return absl::OkStatus();
    const auto it = state_->leases.find(id);
    if (it == state_->leases.end() || it->second == session) return absl::OkStatus();
    return MakeError(ErrorKind::kPermissionDenied, "the lease belongs to another session");
  }
  std::vector<LeaseId> LeasesOf(SessionId session) {
    std::vector<LeaseId> leases;
    MutexLock lock(state_->mutex);
    for (const auto& [id, owner] : state_->leases) {
      if (owner == session) leases.push_back(id);
    }
    return leases;
  }

  // A waiting acquire that its caller may give up. The node knows no such thing: its answer, when
  // it comes, is released unseen.
  struct Wait {
    OperationId operation;
    SessionId session;
    Done<absl::StatusOr<Grant>> done;  // guarded by the state's mutex
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
  // Its callback; null when it was given up.
  Done<absl::StatusOr<Grant>> TakeWait(const std::shared_ptr<Wait>& wait) {
    MutexLock lock(state_->mutex);
    state_->waits.erase(wait);
    return std::exchange(wait->done, nullptr);
  }

  absl::StatusOr<Grant> Granted(absl::StatusOr<Reply> reply, SessionId session, bool declared,
                                UdsChannel::Attached& attached) {
    absl::StatusOr<GrantReply> granted = As<GrantReply>(std::move(reply));
    if (!granted.ok()) return granted.status();
    const LeaseId id = granted->lease_id;
    std::shared_ptr<SegmentHold> hold;
    absl::StatusOr<Grant> grant = MakeGrant(*std::move(granted), session, declared, attached, hold);
    if (grant.ok()) {
      Track(grant->lease, hold);
    } else {
      // Nobody has it who could.
      ReleaseSoon(LeaseRequest{id, session, OperationId::kNone});
    }
    return grant;
  }
  void GiveUp(const std::function<bool(const Wait&)>& which, const absl::Status& why) {
    std::vector<Done<absl::StatusOr<Grant>>> given_up;
    {
      MutexLock lock(state_->mutex);
      for (const auto& wait : state_->waits) {
        if (which(*wait) && wait->done) given_up.push_back(std::exchange(wait->done, nullptr));
      }
    }
    for (auto& done : given_up) std::move(done)(why);
  }

 private:
  // Everything that belongs to this process. A forked child gets a new one and leaves the old one
  // behind, whose locks may be held by threads that the child does not have.
  struct State {
    Mutex mutex;
    std::shared_ptr<UdsChannel> channel ABSL_GUARDED_BY(mutex);
    HelloReply hello ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<LeaseId, SessionId> leases ABSL_GUARDED_BY(mutex);
    // What the objects of granted leases share, where these are in the node's shared memory.
    absl::flat_hash_map<LeaseId, std::weak_ptr<SegmentHold>> holds ABSL_GUARDED_BY(mutex);
    size_t look_at_holds ABSL_GUARDED_BY(mutex) = 64;  // for those that are gone
    std::set<std::shared_ptr<Wait>> waits ABSL_GUARDED_BY(mutex);
    std::atomic<int> socket{-1};
    std::atomic<bool> puts{false};
    std::shared_ptr<UdsStaging> staging ABSL_GUARDED_BY(mutex);  // null where there is none
    bool asked_staging ABSL_GUARDED_BY(mutex) = false;
  };

  struct Gathering {
    Impl* peer;
    std::vector<UdsChannel::Call> calls;
  };

  // The parent's session must end with the parent: this copy of its socket must not keep it open.
  static void InChild(void* self) {
    Impl& peer = *static_cast<Impl*>(self);
    const int socket = peer.state_->socket.load();
    if (socket >= 0) close(socket);
    peer.state_ = new State;
  }

  bool IsGathering() const { return gathering_ != nullptr && gathering_->peer == this; }

  void SendTogether(std::vector<UdsChannel::Call> gathered) {
    if (gathered.empty()) return;
    const bool grants =
        std::any_of(gathered.begin(), gathered.end(),
                    [](const UdsChannel::Call& call) { return call.request.op == Op::kAcquire; });
    // Descriptors of one answer share a message; those of several need one each.
    if (grants) gathered = InBatches(std::move(gathered));
    Send(absl::MakeSpan(gathered));
  }

  static bool Has(const HelloReply& hello, absl::string_view feature) {
    return std::find(hello.features.begin(), hello.features.end(), feature) != hello.features.end();
  }

  void Send(absl::Span<UdsChannel::Call> calls) {
    // Twice: the first attempt may find out that the node was restarted.
    absl::Status failure;
    const bool raw = std::any_of(calls.begin(), calls.end(), [](const UdsChannel::Call& call) {
      return !call.payload.empty();
    });
    for (int attempt = 0; attempt < 2; ++attempt) {
      absl::StatusOr<std::shared_ptr<UdsChannel>> channel = Channel();
      if (raw && channel.ok() && !puts()) {
        // It would take the bytes for requests.
        channel = MakeError(ErrorKind::kUnavailable, "the node was replaced by an older one");
      }
      if (channel.ok() && (*channel)->Send(calls)) return;
      failure = channel.ok() ? (*channel)->why_broken() : channel.status();
      if (!channel.ok()) break;
    }
    UdsChannel::Attached none;
    for (UdsChannel::Call& call : calls) {
      if (call.answered) std::move(call.answered)(failure, none);
    }
  }

  absl::StatusOr<HelloReply> Greet(UdsChannel& channel) {
    UdsChannel::Call call;
    call.request.op = Op::kHello;
    call.request.body =
        HelloRequest{{std::string(kFeaturePositioned), std::string(kFeatureSegments)}};
    Latch latch;
    absl::StatusOr<HelloReply> hello = HelloReply();
    call.answered = [&](absl::StatusOr<Reply> reply, UdsChannel::Attached&) {
      hello = As<HelloReply>(std::move(reply));
      latch.Set();
    };
    bool sent = false;
    channel.Await(
        [&] {
          sent = channel.Send(absl::MakeSpan(&call, 1));
          if (!sent) latch.Set();
        },
        latch);
    if (!sent) return channel.why_broken();
    return hello;
  }

  const UdsPeerOptions options_;
  State* state_;
  static thread_local Gathering* gathering_;
};

}  // namespace packice
