#include "packice/core/testing/faulty_peer.h"

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

using Call = FaultyPeer::Call;

constexpr size_t kCalls = static_cast<size_t>(Call::kAny) + 1;
constexpr std::array<const char*, kCalls> kNames = {
    "create", "read", "write", "lookup", "seal",      "discard",    "release", "relocate",
    "renew",  "stat", "list",  "stats",  "blob_read", "blob_write", "any"};
constexpr size_t kLogged = 1000;

size_t IndexOf(Call call) { return static_cast<size_t>(call); }

Call CallOf(Access access) {
  if (access == Access::kCreate) return Call::kCreate;
  return access == Access::kRead ? Call::kRead : Call::kWrite;
}

absl::Status Unreachable() {
  return MakeError(ErrorKind::kUnavailable, "the peer is out of reach; try again later");
}

}  // namespace

// All that changes. Shared with the blobs that were granted and with answers under way.
class FaultyPeer::Faults {
 public:
  using Answer = absl::AnyInvocable<void() &&>;

  // What becomes of a call.
  struct Fate {
    absl::Status failure;  // unless OK, it does not happen
    bool lost = false;
    uint64_t holding = 0;  // whose LetGo it waits for, if it is 0 not
    uint64_t ticket = 0;
  };

  // `abort` ends the call with `unavailable`.
  Fate Begin(Call call, absl::string_view what, Answer abort) {
    if (watched_.load()) {
      std::function<void(Call)> watcher;
      {
        MutexLock lock(mutex_);
        watcher = watcher_;
      }
      if (watcher) watcher(call);
    }
    MutexLock lock(mutex_);
    ++calls_[IndexOf(call)];
    ++calls_[IndexOf(Call::kAny)];
    log_.push_back(absl::StrCat(kNames[IndexOf(call)], what.empty() ? "" : " ", what));
    if (log_.size() > kLogged) log_.pop_front();
    Fate fate;
    if (down_) {
      fate.failure = Unreachable();
    } else if (const Rule* rule = Use(failing_, call); rule != nullptr) {
      fate.failure = MakeError(rule->kind, absl::StrCat(log_.back(), " fails, as it was told to"));
    } else {
      fate.lost = Use(losing_, call) != nullptr;
      if (holding_[IndexOf(call)] || holding_[IndexOf(Call::kAny)]) fate.holding = generation_;
      if (abort != nullptr) {
        fate.ticket = ++tickets_;
        under_way_.emplace(fate.ticket, std::move(abort));
      }
    }
    return fate;
  }

  // Gives the answer to a call that happened, or keeps it. Drops it when the call was ended.
  void Give(const Fate& fate, Answer answer) {
    {
      MutexLock lock(mutex_);
      if (under_way_.count(fate.ticket) == 0) return;
      if (fate.holding == generation_) {
        held_.emplace_back(fate.ticket, std::move(answer));
        changed_.NotifyAll();
        return;
      }
      under_way_.erase(fate.ticket);
    }
    std::move(answer)();
  }

  void Fail(Call call, ErrorKind kind, int times) {
    MutexLock lock(mutex_);
    failing_[call] = {kind, times};
  }
  void Lose(Call call, int times) {
    MutexLock lock(mutex_);
    losing_[call] = {ErrorKind::kUnavailable, times};
  }
  void Mend() {
    MutexLock lock(mutex_);
    failing_.clear();
    losing_.clear();
  }
  void Hold(Call call) {
    MutexLock lock(mutex_);
    holding_[IndexOf(call)] = true;
  }
  void LetGo() {
    std::deque<std::pair<uint64_t, Answer>> held;
    {
      MutexLock lock(mutex_);
      holding_.fill(false);
      ++generation_;
      held.swap(held_);
      for (const auto& [ticket, answer] : held) under_way_.erase(ticket);
    }
    for (auto& [ticket, answer] : held) std::move(answer)();
  }
  void GoDown() {
    std::map<uint64_t, Answer> ended;
    std::deque<std::pair<uint64_t, Answer>> held;
    {
      MutexLock lock(mutex_);
      down_ = true;
      ended.swap(under_way_);
      held.swap(held_);
    }
    for (auto& [ticket, abort] : ended) std::move(abort)();
  }
  void ComeBack() {
    MutexLock lock(mutex_);
    down_ = false;
  }
  bool down() const {
    MutexLock lock(mutex_);
    return down_;
  }

  void Watch(std::function<void(Call)> watcher) {
    MutexLock lock(mutex_);
    watched_.store(watcher != nullptr);
    watcher_ = std::move(watcher);
  }

  size_t held() const {
    MutexLock lock(mutex_);
    return held_.size();
  }
  void AwaitHeld(size_t count) const {
    MutexLock lock(mutex_);
    while (held_.size() < count) changed_.Wait(mutex_);
  }
  uint64_t calls(Call call) const {
    MutexLock lock(mutex_);
    return calls_[IndexOf(call)];
  }
  std::vector<std::string> log() const {
    MutexLock lock(mutex_);
    return {log_.begin(), log_.end()};
  }

  void Met(SessionId session) {
    MutexLock lock(mutex_);
    if (session != SessionId::kNone) sessions_.insert(session);
  }
  std::set<SessionId> sessions() const {
    MutexLock lock(mutex_);
    return sessions_;
  }

  // What a lease was granted on: for the log, and for marking it sealed.
  struct Granted {
    ObjectId id;
    std::weak_ptr<Object> seen;  // by the caller
    std::weak_ptr<Object> own;   // the peer's
  };
  void Remember(const LeaseId& lease, Granted granted) {
    MutexLock lock(mutex_);
    granted_[lease] = std::move(granted);
  }
  void Forget(const LeaseId& lease) {
    MutexLock lock(mutex_);
    granted_.erase(lease);
  }
  Granted Find(const LeaseId& lease) const {
    MutexLock lock(mutex_);
    const auto it = granted_.find(lease);
    return it == granted_.end() ? Granted() : it->second;
  }

 private:
  struct Rule {
    ErrorKind kind;
    int times;
  };
  using Rules = std::map<Call, Rule>;

  // The rule that holds for this call; counts it.
  const Rule* Use(Rules& rules, Call call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const Call key : {call, Call::kAny}) {
      const auto it = rules.find(key);
      if (it == rules.end() || it->second.times == 0) continue;
      if (it->second.times > 0) --it->second.times;
      return &it->second;
    }
    return nullptr;
  }

  std::atomic<bool> watched_{false};

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::function<void(Call)> watcher_ ABSL_GUARDED_BY(mutex_);
  std::array<uint64_t, kCalls> calls_ ABSL_GUARDED_BY(mutex_) = {};
  std::deque<std::string> log_ ABSL_GUARDED_BY(mutex_);
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  Rules failing_ ABSL_GUARDED_BY(mutex_);
  Rules losing_ ABSL_GUARDED_BY(mutex_);
  std::array<bool, kCalls> holding_ ABSL_GUARDED_BY(mutex_) = {};
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t tickets_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Answer> under_way_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<uint64_t, Answer>> held_ ABSL_GUARDED_BY(mutex_);
  std::set<SessionId> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<LeaseId, Granted> granted_ ABSL_GUARDED_BY(mutex_);
};

// A blob whose bytes only its peer has.
class FaultyPeer::RemoteBlob final : public Blob {
 public:
  RemoteBlob(std::shared_ptr<Faults> faults, ObjectId id, std::shared_ptr<Blob> blob)
      : faults_(std::move(faults)),
        id_(std::move(id)),
        blob_(std::move(blob)),
        sealed_(blob_->sealed()) {}

  uint64_t size() const override { return blob_->size(); }
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    const Faults::Fate fate = faults_->Begin(Call::kBlobRead, id_.bytes(), nullptr);
    if (!fate.failure.ok()) return fate.failure;
    absl::StatusOr<size_t> n = blob_->Read(offset, out);
    if (fate.lost) return Unreachable();
    return n;
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    const Faults::Fate fate = faults_->Begin(Call::kBlobWrite, id_.bytes(), nullptr);
    if (!fate.failure.ok()) return fate.failure;
    absl::Status status = blob_->Write(offset, bytes);
    return fate.lost ? Unreachable() : status;
  }
  // The peer has sealed it; this is its caller's view.
  absl::Status Seal(absl::optional<uint64_t>) override {
    sealed_.store(true, std::memory_order_release);
    return absl::OkStatus();
  }
  // A copy of what is read, as it were.
  absl::StatusOr<Mapping> Map(MapAccess access) const override {
    if (!sealed()) {
      return MakeError(ErrorKind::kUnsupported, "a remote blob cannot be mapped to write it");
    }
    if (access == MapAccess::kReadWrite) {
      return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
    }
    const Faults::Fate fate = faults_->Begin(Call::kBlobRead, id_.bytes(), nullptr);
    if (!fate.failure.ok()) return fate.failure;
    if (fate.lost) return Unreachable();
    return blob_->Map(access);
  }
  absl::StatusOr<PieceSums> Sums() const override {
    if (faults_->down()) return Unreachable();
    return blob_->Sums();
  }
  BlobDescriptor Describe() const override { return UrlDescriptor{"faulty-peer:", size()}; }

 private:
  const std::shared_ptr<Faults> faults_;
  const ObjectId id_;
  const std::shared_ptr<Blob> blob_;
  std::atomic<bool> sealed_;
};

FaultyPeer::FaultyPeer(std::unique_ptr<Peer> peer, Blobs blobs)
    : owned_(std::move(peer)), peer_(*owned_), blobs_(blobs), faults_(std::make_shared<Faults>()) {}
FaultyPeer::FaultyPeer(Peer& peer, Blobs blobs)
    : peer_(peer), blobs_(blobs), faults_(std::make_shared<Faults>()) {}
FaultyPeer::~FaultyPeer() = default;

void FaultyPeer::Fail(Call call, ErrorKind kind, int times) { faults_->Fail(call, kind, times); }
void FaultyPeer::Lose(Call call, int times) { faults_->Lose(call, times); }
void FaultyPeer::Mend() { faults_->Mend(); }
void FaultyPeer::GoDown() { faults_->GoDown(); }
void FaultyPeer::ComeBack() { faults_->ComeBack(); }
bool FaultyPeer::down() const { return faults_->down(); }
void FaultyPeer::EndSessions() {
  for (const SessionId session : faults_->sessions()) peer_.EndSession(session);
}
void FaultyPeer::Hold(Call call) { faults_->Hold(call); }
void FaultyPeer::LetGo() { faults_->LetGo(); }
size_t FaultyPeer::held() const { return faults_->held(); }
void FaultyPeer::AwaitHeld(size_t count) const { faults_->AwaitHeld(count); }
void FaultyPeer::Watch(std::function<void(Call)> watcher) { faults_->Watch(std::move(watcher)); }
uint64_t FaultyPeer::calls(Call call) const { return faults_->calls(call); }
std::vector<std::string> FaultyPeer::log() const { return faults_->log(); }

// Null when the call is not to happen: it is answered then. Otherwise what to hand to the peer.
template <typename Answer>
Done<Answer> FaultyPeer::Pass(Call call, absl::string_view what, Done<Answer> done) {
  // Whoever takes it answers: the peer, or GoDown.
  auto once = std::make_shared<Done<Answer>>(std::move(done));
  const auto end = [once] {
    if (*once != nullptr) std::move (*once)(Answer(Unreachable()));
  };
  Faults::Fate fate = faults_->Begin(call, what, end);
  if (!fate.failure.ok()) {
    if (*once != nullptr) std::move (*once)(Answer(fate.failure));
    return nullptr;
  }
  return [faults = faults_, once, end, fate = std::move(fate)](Answer answer) mutable {
    if (fate.lost) {
      faults->Give(fate, end);
      return;
    }
    faults->Give(fate, [once, answer = std::move(answer)]() mutable {
      if (*once != nullptr) std::move (*once)(std::move(answer));
    });
  };
}

Done<absl::StatusOr<Grant>> FaultyPeer::Granting(Done<absl::StatusOr<Grant>> done) {
  return [faults = faults_, remote = blobs_ == Blobs::kRemote,
          done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (grant.ok()) {
      const std::shared_ptr<Object> own = grant->object;
      if (remote) {
        Object::Blobs blobs;
        for (const auto& blob : own->blobs()) {
          blobs.push_back(std::make_shared<RemoteBlob>(faults, own->id(), blob));
        }
        grant->object = own->state() == ObjectState::kSealed
                            ? std::make_shared<Object>(own->id(), own->metadata(), std::move(blobs),
                                                       own->created_at(), own->sealed_at())
                            : std::make_shared<Object>(own->id(), own->metadata(), std::move(blobs),
                                                       own->created_at());
      }
      faults->Remember(grant->lease.id, {own->id(), grant->object, own});
    }
    std::move(done)(std::move(grant));
  };
}

void FaultyPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  faults_->Met(request.session);
  auto pass = Pass(CallOf(request.access), request.object_id.bytes(), Granting(std::move(done)));
  if (pass != nullptr) peer_.Acquire(std::move(request), std::move(pass));
}

void FaultyPeer::Cancel(OperationId operation) {
  if (!down()) peer_.Cancel(operation);
}

void FaultyPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  auto pass =
      Pass(Call::kLookup, faults_->Find(request.lease_id).id.bytes(), Granting(std::move(done)));
  if (pass != nullptr) peer_.Lookup(std::move(request), std::move(pass));
}

void FaultyPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  const Faults::Granted granted = faults_->Find(request.lease_id);
  // Before the answer, because the caller looks at its object then.
  Done<absl::StatusOr<Sealed>> marking =
      [granted, size = request.size, changes = request.metadata,
       done = std::move(done)](absl::StatusOr<Sealed> sealed) mutable {
        const std::shared_ptr<Object> seen = granted.seen.lock();
        const std::shared_ptr<Object> own = granted.own.lock();
        if (sealed.ok() && seen != nullptr && own != nullptr &&
            seen->state() == ObjectState::kCreating) {
          seen->Seal(size, changes, own->sealed_at()).IgnoreError();
        }
        std::move(done)(std::move(sealed));
      };
  auto pass = Pass(Call::kSeal, granted.id.bytes(), std::move(marking));
  if (pass != nullptr) peer_.Seal(std::move(request), std::move(pass));
}

void FaultyPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  auto pass = Pass(Call::kDiscard, faults_->Find(request.lease_id).id.bytes(), std::move(done));
  if (pass != nullptr) peer_.Discard(request, std::move(pass));
}

void FaultyPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  auto pass = Pass(Call::kRelease, faults_->Find(request.lease_id).id.bytes(), std::move(done));
  if (pass == nullptr) return;
  faults_->Forget(request.lease_id);
  peer_.Release(request, std::move(pass));
}

void FaultyPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  auto pass = Pass(Call::kRelocate, faults_->Find(request.lease_id).id.bytes(), std::move(done));
  if (pass != nullptr) peer_.Relocate(std::move(request), std::move(pass));
}

void FaultyPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  auto pass = Pass(Call::kRenew, faults_->Find(request.lease_id).id.bytes(), std::move(done));
  if (pass != nullptr) peer_.Renew(std::move(request), std::move(pass));
}

void FaultyPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  auto pass = Pass(Call::kStat, object_id.bytes(), std::move(done));
  if (pass != nullptr) peer_.Stat(object_id, std::move(pass));
}

void FaultyPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  auto pass = Pass(Call::kList, "", std::move(done));
  if (pass != nullptr) peer_.List(std::move(request), std::move(pass));
}

void FaultyPeer::Stats(Done<absl::StatusOr<PeerStats>> done) {
  auto pass = Pass(Call::kStats, "", std::move(done));
  if (pass != nullptr) peer_.Stats(std::move(pass));
}

void FaultyPeer::EndSession(SessionId session) {
  if (!down()) peer_.EndSession(session);
}

}  // namespace packice
