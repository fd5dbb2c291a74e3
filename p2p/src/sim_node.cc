#include "sim_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sim_network.h"
#include "sim_tracker.h"

namespace packice {
namespace {

constexpr int64_t kSoon = 1'000;                    // nanoseconds
constexpr int64_t kTryAgainAfter = 300'000'000;     // a fetch that has failed
constexpr int64_t kForgottenAfter = 3'000'000'000;  // by the tracker, after a crash

TransferOptions OptionsOf(const SimWorld& world, uint32_t index) {
  TransferOptions options = world.options.transfer;
  options.address = SimAddress(index);
  options.zone = SimZone(world, index);
  return options;
}

}  // namespace

SimNode::SimNode(SimWorld& world, SimNetwork& network, SimTracker& tracker, uint32_t index,
                 Role role, double rate_factor)
    : world_(world),
      network_(network),
      tracker_(tracker),
      index_(index),
      address_(SimAddress(index)),
      role_(role),
      rate_factor_(rate_factor),
      kept_(world.manifest->pieces()),
      view_(std::make_unique<SimTrackerView>(world, tracker, *this)) {
  network.Add(*this);
}

SimNode::~SimNode() = default;

void SimNode::Boot() {
  ++life_;
  tick_at_ = INT64_MAX;
  up_free = down_free = 0;
  engine_ =
      std::make_unique<TransferEngine>(OptionsOf(world_, index_), *this, *this, *view_, nullptr,
                                       world_.queue, world_.random.Next(), EventSink::Null());
  if (sealed_ || role_ != Role::kHonest) HaveAll();
  if (wants_) Want();
}

void SimNode::Crash() {
  if (engine_ == nullptr) return;
  ++life_;
  wasted_bytes_ += engine_->counters().wasted_bytes;
  banned_ += engine_->counters().holders_banned;
  creating_ = false;
  engine_.reset();
  network_.DropAll(*this);
  world_.Trace(1, index_, 0);
  world_.queue.After(kForgottenAfter, [this, life = life_] {
    if (life_ == life) tracker_.Forget(index_);
  });
}

bool SimNode::Verified(uint32_t piece) const {
  if (sealed_) return true;
  const std::shared_ptr<PieceStore> store = created_.lock();
  return store != nullptr && store->Held(piece);
}

void SimNode::HaveAll() {
  if (role_ == Role::kHonest) sealed_ = true;
  Holding holding;
  holding.object_id = world_.object_id;
  holding.digest = world_.digest;
  holding.size = world_.manifest->size();
  holding.pieces = holding.pieces_held = world_.manifest->pieces();
  view_->Announce(holding);
}

void SimNode::Want() {
  wants_ = true;
  if (sealed_ || engine_ == nullptr) return;
  FetchRequest request;
  request.object_id = world_.object_id;
  Tell([&](TransferEngine& engine) {
    engine.Fetch(std::move(request), [this, life = life_](absl::Status fetched) {
      if (life_ != life || fetched.ok()) return;
      ++failed_fetches_;
      world_.queue.After(kTryAgainAfter, [this, life] {
        if (life_ == life) Want();
      });
    });
  });
}

void SimNode::ScheduleTick() {
  const Instant due = engine_->NextTick();
  if (due == absl::InfiniteDuration()) return;
  const absl::Duration rounded = absl::Ceil(due, absl::Nanoseconds(1));
  const int64_t at = std::max(absl::ToInt64Nanoseconds(rounded), world_.queue.nanoseconds());
  if (at >= tick_at_) return;
  tick_at_ = at;
  world_.queue.At(at, [this, at, life = life_] {
    if (life_ != life || tick_at_ != at) return;
    tick_at_ = INT64_MAX;
    Tell([](TransferEngine& engine) { engine.Tick(); });
  });
}

void SimNode::CheckNothingIsLeft() {
  if (engine_ == nullptr) return;
  if (!engine_->Transfers({}).empty()) {
    world_.Violation(absl::StrCat(address_, " has channels left"));
  }
  if (!engine_->Downloads().empty()) world_.Violation(absl::StrCat(address_, " still fetches"));
  if (live_stores_ != 0) {
    world_.Violation(absl::StrCat(address_, " has ", live_stores_, " stores left"));
  }
}

LinkId SimNode::Dial(const std::string& address) { return network_.Dial(*this, address); }
void SimNode::Send(LinkId link, Frame frame) { network_.Send(*this, link, std::move(frame)); }
void SimNode::HangUp(LinkId link) { network_.HangUp(*this, link); }

void SimNode::SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                        std::shared_ptr<PieceStore> store) {
  if (!store->Held(piece)) world_.Violation(absl::StrCat(address_, " sends what is not verified"));
  ++pieces_sent_;
  network_.SendPiece(*this, link, channel, piece);
}

void SimNode::ReceiveInto(LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store) {
  network_.ReceiveInto(*this, link, channel, std::move(store));
}

Instant SimNode::Heard(LinkId link) const { return network_.Heard(link); }

template <typename Work>
void SimNode::Soon(Work work) {
  world_.queue.After(kSoon, [this, life = life_, work = std::move(work)]() mutable {
    if (life_ == life) Tell([&](TransferEngine&) { work(); });
  });
}

std::shared_ptr<PieceStore> SimNode::NewStore(PieceSet held) {
  return std::make_shared<SimStore>(world_.object_id, world_.manifest, std::move(held),
                                    live_stores_);
}

void SimNode::Borrow(const ObjectId&, Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) {
  Soon([this, done = std::move(done)]() mutable {
    if (!sealed_ && role_ == Role::kHonest) {
      return std::move(done)(MakeError(ErrorKind::kNotFound, "not here"));
    }
    std::move(done)(NewStore(PieceSet::All(world_.manifest->pieces())));
  });
}

void SimNode::Create(const ObjectId&, std::shared_ptr<const Manifest> manifest,
                     Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) {
  if (manifest->Digest() != world_.digest) {
    world_.Violation(absl::StrCat(address_, " believes a wrong manifest"));
  }
  Soon([this, done = std::move(done)]() mutable {
    if (sealed_) return std::move(done)(MakeError(ErrorKind::kAlreadyExists, "is here"));
    if (creating_) return std::move(done)(MakeError(ErrorKind::kBusy, "is being created"));
    creating_ = true;
    std::shared_ptr<PieceStore> store = NewStore(kept_);
    created_ = store;
    std::move(done)(std::move(store));
  });
}

void SimNode::Seal(std::shared_ptr<PieceStore> store, Done<absl::Status> done) {
  if (store->pieces_held() != world_.manifest->pieces()) {
    world_.Violation(absl::StrCat(address_, " seals what is not whole"));
  }
  Soon([this, done = std::move(done)]() mutable {
    creating_ = false;
    completed_at_ = world_.queue.Now();
    world_.Trace(2, index_, 0);
    HaveAll();
    std::move(done)(absl::OkStatus());
  });
}

void SimNode::Abandon(std::shared_ptr<PieceStore> store) {
  creating_ = false;
  kept_ = static_cast<SimStore&>(*store).held();
}

void SimNode::Discard(const ObjectId&, Done<absl::Status> done) {
  Soon([done = std::move(done)]() mutable {
    std::move(done)(MakeError(ErrorKind::kUnsupported, "not simulated"));
  });
}

}  // namespace packice
