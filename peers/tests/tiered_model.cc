#include "tiered_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

using Call = FaultyPeer::Call;

std::string Tell(const absl::Status& status) {
  return status.ok() ? "ok" : absl::StrCat(InfoOf(KindOf(status)).name, ": ", status.message());
}

// Of objects that are larger than hot.
ObjectId LargeId() { return *ObjectId::Parse("large"); }

}  // namespace

// Hears of demotions.
class TieredModel::Events final : public EventSink {
 public:
  explicit Events(TieredModel& model) : model_(model) {}
  void Publish(const Event& event) override {
    if (event.kind == EventKind::kDemoted) model_.Demoted(event.object_id);
    model_.Count(EventKindName(event.kind));
  }

 private:
  TieredModel& model_;
};

TieredModel::TieredModel(uint64_t seed, Kind kind)
    : random_(seed), kind_(kind), events_(std::make_unique<Events>(*this)) {
  LocalPeerOptions options;
  options.background_reaper = false;
  options.clock = &clock_;
  options.random = &peer_random_;
  cold_ = std::make_unique<LocalPeer>(cold_disk_.MakeStore(),
                                      std::make_unique<MemoryLeaseTable>(clock_),
                                      /*policy=*/nullptr, options, cold_disk_.MakeArchive());
  if (!cold_->Recover().ok()) Wrong("cold does not start");
  Start();
}

TieredModel::~TieredModel() {
  watching_ = false;
  tiered_.reset();
}

void TieredModel::Start() {
  LocalPeerOptions options;
  options.capacity = kHotCapacity;
  options.background_reaper = false;
  options.clock = &clock_;
  options.random = &peer_random_;
  if (kind_.durable_hot) {
    hot_ = std::make_unique<LocalPeer>(hot_disk_.MakeStore(),
                                       std::make_unique<MemoryLeaseTable>(clock_),
                                       /*policy=*/nullptr, options, hot_disk_.MakeArchive());
    if (!hot_->Recover().ok()) Wrong("hot does not start");
  } else {
    hot_ = MakeMemoryPeer(options);
  }
  auto hot = std::make_unique<FaultyPeer>(*hot_, FaultyPeer::Blobs::kLocal);
  auto cold = std::make_unique<FaultyPeer>(*cold_, kind_.cold);
  hot_faults_ = hot.get();
  cold_faults_ = cold.get();
  for (FaultyPeer* tier : {hot_faults_, cold_faults_}) {
    tier->Watch([this](Call) { OnCall(); });
  }
  auto executor = std::make_unique<StepExecutor>();
  executor_ = executor.get();
  TieredPeerOptions tiered;
  tiered.write_policy = kind_.policy;
  tiered.flush_after = absl::Seconds(10);
  tiered.create_patience = absl::Seconds(5);
  tiered.moves = 2;
  tiered.discard_log = directory_.path() + "/discards";
  tiered.background = false;
  tiered.executor = std::move(executor);
  tiered.clock = &clock_;
  tiered.random = &peer_random_;
  tiered.events = events_.get();
  auto opened = TieredPeer::Open(std::move(hot), std::move(cold), std::move(tiered));
  if (!opened.ok()) return Wrong(absl::StrCat("it does not start: ", Tell(opened.status())));
  tiered_ = *std::move(opened);
}

// From here on nothing reaches the tiers any more. What was answered before counts.
void TieredModel::Crash() {
  Log("CRASH");
  Count("crash");
  Collect();
  crashed_ = true;
  hot_faults_->GoDown();
  cold_faults_->GoDown();
}

void TieredModel::Restart() {
  cold_faults_->EndSessions();
  held_.clear();
  asked_.clear();
  tiered_.reset();
  hot_.reset();
  crashed_ = false;
  wrong_things_ = false;
  ending_sessions_ = false;
  for (Made& made : made_) {
    if (made.state == Made::State::kGone) continue;
    if (!made.asked) {
      SetGone(made);
    } else if (!made.durable && !(kind_.durable_hot && made.state == Made::State::kCertain)) {
      made.state = Made::State::kPossible;
    }
  }
  ++faults_;
  Start();
}

void TieredModel::OnCall() {
  if (!watching_ || crashed_) return;
  watching_ = false;
  if (Chance(4)) ClientStep();
  if (kind_.crashes && Below(1000) < 2) {
    Crash();
  } else if (kind_.faults && Below(1000) < 4) {
    MakeFault();
  }
  watching_ = true;
}

ObjectId TieredModel::AnyId() { return *ObjectId::Parse(absl::StrCat("id", Below(5))); }

std::string TieredModel::BytesOf(uint64_t stamp, uint64_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(stamp * 31 + i * 7 + i / 251);
  return bytes;
}

std::string TieredModel::Run(int steps) {
  for (int i = 0; i < steps && wrong_.empty(); ++i) {
    watching_ = true;
    Step();
    watching_ = false;
    if (crashed_) {
      CheckTiers();
      Restart();
    }
    Settle();
    CheckTiers();
  }
  if (wrong_.empty()) ComeToRest();
  return wrong_;
}

std::string TieredModel::log() const { return absl::StrJoin(log_, "\n  "); }
void TieredModel::Log(std::string line) { log_.push_back(std::move(line)); }
void TieredModel::Wrong(std::string what) {
  Log(absl::StrCat("WRONG ", what));
  if (!wrong_.empty()) return;
  wrong_ = std::move(what);
  for (const FaultyPeer* tier : {hot_faults_, cold_faults_}) {
    if (tier == nullptr || tiered_ == nullptr) continue;
    std::vector<std::string> calls = tier->log();
    calls.erase(calls.begin(),
                calls.end() - static_cast<ptrdiff_t>(std::min<size_t>(60, calls.size())));
    Log(absl::StrCat(tier == hot_faults_ ? "hot" : "cold",
                     " was asked: ", absl::StrJoin(calls, ", ")));
  }
}

void TieredModel::Step() {
  const uint64_t choice = Below(100);
  if (choice < 52) return ClientStep();
  if (choice < 80) {
    executor_->RunOne();
    return;
  }
  if (choice < 90) return Advance(absl::Milliseconds(1 + Below(6000)));
  if (choice < 94) return Look();
  if (choice < 98) {
    if (!kind_.faults) return;
    return wrong_things_ ? Mend() : MakeFault();
  }
  if (kind_.crashes && Chance(30)) Crash();
}

// Also in the middle of others.
void TieredModel::ClientStep() {
  ++now_;
  const uint64_t choice = Below(100);
  if (choice < 25) return Acquire(Access::kCreate);
  if (choice < 45) return Acquire(Access::kRead);
  if (choice < 58) return Acquire(Access::kWrite);
  if (choice < 60) return EndSession();
  if (held_.empty()) return;
  const size_t i = Below(held_.size());
  Held& held = held_[i];
  CheckHeld(held);
  const Access access = held.grant.lease.access;
  if (access == Access::kCreate && held.made->state == Made::State::kCreating && held.written) {
    return Chance(85) ? Seal(held) : Chance(50) ? Discard(held) : Release(i);
  }
  if (access == Access::kWrite && Chance(60)) return Chance(55) ? Discard(held) : Relocate(held);
  if (choice < 90) return Release(i);
  if (access == Access::kCreate && held.made->state == Made::State::kPossible) return Seal(held);
}

TieredModel::Asked& TieredModel::Ask(Asked::What what, std::string name) {
  Asked& asked = asked_.emplace_back();
  asked.what = what;
  asked.at = ++now_;
  asked.calm = calm_ && !wrong_things_;
  asked.faults = faults_;
  asked.name = absl::StrCat("#", now_, " ", name);
  Log(asked.name);
  return asked;
}

void TieredModel::Acquire(Access access) {
  if (held_.size() > 12) return Release(Below(held_.size()));
  AcquireRequest request;
  request.access = access;
  request.object_id = Chance(5) ? LargeId() : AnyId();
  request.session = AnySession();
  if (Chance(20)) request.ttl = absl::Milliseconds(1 + Below(20000));
  if (Chance(30)) request.wait = absl::Milliseconds(1 + Below(4000));
  Made* made = nullptr;
  if (access == Access::kCreate) {
    made = &made_.emplace_back();
    made->stamp = ++stamps_;
    made->id = request.object_id;
    request.metadata.Set("stamp", absl::StrCat(made->stamp));
    const bool large = request.object_id == LargeId();
    request.blob_sizes = {large ? kHotCapacity + 1 + Below(500) : Below(900)};
    if (Chance(20)) made->ttl = request.object_ttl = absl::Milliseconds(1 + Below(15000));
    // What is larger than hot is created in cold.
    made->durable = request.blob_sizes[0] > kHotCapacity;
  }
  Asked& asked =
      Ask(Asked::What::kAcquire,
          absl::StrCat(AccessName(access), " ", request.object_id.bytes(), " stamp ",
                       made ? made->stamp : 0, " size ", absl::StrJoin(request.blob_sizes, "+"),
                       " wait ", absl::FormatDuration(request.wait)));
  asked.request = request;
  asked.made = made;
  tiered_->Acquire(std::move(request), asked.granted.Callback());
}

void TieredModel::Seal(Held& held) {
  Asked& asked = Ask(Asked::What::kSeal, absl::StrCat("seal ", held.made->stamp));
  Made& made = *held.made;
  asked.made = &made;
  if (made.ttl && !made.asked) made.ends_earliest = clock_.WallTime() + *made.ttl;
  made.asked = true;
  ++made.seals;
  if (made.state == Made::State::kCreating) made.state = Made::State::kPossible;
  SealRequest request;
  request.lease_id = held.grant.lease.id;
  request.session = held.session;
  tiered_->Seal(std::move(request), asked.sealed.Callback());
}

void TieredModel::Discard(Held& held) {
  Asked& asked = Ask(Asked::What::kDiscard,
                     absl::StrCat("discard ", held.made->stamp, " of ", held.made->id.bytes()));
  asked.made = held.made;
  const ObjectId id = asked.id = held.grant.lease.object_id;
  for (Made& made : made_) {
    // Besides its own object that may take an older one which it hides.
    const bool taken =
        &made == held.made ||
        (held.made->asked && held.made->state != Made::State::kGone && !HasEnded(*held.made) &&
         made.asked && made.id == id && made.moving_to.empty() && made.stamp < held.made->stamp);
    if (!taken || made.state == Made::State::kGone) continue;
    ++made.doubts;
    asked.doubted.push_back(&made);
  }
  tiered_->Discard({held.grant.lease.id, held.session, OperationId::kNone}, asked.done.Callback());
}

void TieredModel::Relocate(Held& held) {
  Made& made = *held.made;
  const ObjectId to = AnyId();
  if (!made.moving_to.empty() || made.id == to) return;
  Asked& asked = Ask(Asked::What::kRelocate, absl::StrCat("relocate ", made.stamp, " of ",
                                                          made.id.bytes(), " to ", to.bytes()));
  asked.made = &made;
  asked.doubted = {&made};
  asked.lease_has_ttl = held.grant.lease.ttl != absl::InfiniteDuration();
  ++made.doubts;
  made.moving_to = to;
  RelocateRequest request;
  request.lease_id = held.grant.lease.id;
  request.to = to;
  request.session = held.session;
  tiered_->Relocate(std::move(request), asked.done.Callback());
}

void TieredModel::Release(size_t index) {
  const Held held = held_[index];
  held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
  Asked& asked = Ask(Asked::What::kRelease, absl::StrCat("release ", held.made->stamp));
  tiered_->Release({held.grant.lease.id, held.session, OperationId::kNone}, asked.done.Callback());
}

void TieredModel::EndSession() {
  const SessionId session = AnySession();
  Log(absl::StrCat("end session ", static_cast<uint64_t>(session)));
  ++faults_;  // for what is asked and not answered
  tiered_->EndSession(session);
}

void TieredModel::Advance(absl::Duration by) {
  ++now_;
  Log(absl::StrCat("advance ", absl::FormatDuration(by)));
  clock_.Advance(by);
  cold_->RunDue();
  hot_->RunDue();
  tiered_->RunDue();
}

void TieredModel::MakeFault() {
  ++faults_;
  wrong_things_ = true;
  constexpr Call kCalls[] = {Call::kCreate,  Call::kRead,     Call::kWrite,    Call::kSeal,
                             Call::kDiscard, Call::kRelocate, Call::kBlobRead, Call::kBlobWrite,
                             Call::kStat,    Call::kAny};
  constexpr ErrorKind kKinds[] = {ErrorKind::kUnavailable, ErrorKind::kIo, ErrorKind::kCapacity,
                                  ErrorKind::kTimeout};
  const Call call = kCalls[Below(std::size(kCalls))];
  const int times = static_cast<int>(1 + Below(4));
  switch (Below(3)) {
    case 0:
      Log("FAULT cold goes down");
      Count("down");
      return cold_faults_->GoDown();
    case 1:
      Log(absl::StrCat("FAULT cold fails calls of kind ", static_cast<int>(call), " times ",
                       times));
      Count("fail");
      return cold_faults_->Fail(call, kKinds[Below(std::size(kKinds))], times);
    default:
      Log(absl::StrCat("FAULT cold loses answers of kind ", static_cast<int>(call)));
      Count("lose");
      ending_sessions_ = true;  // an answer is lost with its connection
      return cold_faults_->Lose(call, times);
  }
}

void TieredModel::Mend() {
  Log("mended");
  ++faults_;
  wrong_things_ = false;
  cold_faults_->Mend();
  cold_faults_->ComeBack();
  if (std::exchange(ending_sessions_, false)) cold_faults_->EndSessions();
}

}  // namespace packice
