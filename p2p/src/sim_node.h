// One node of a simulated swarm: a TransferEngine, its local objects, and its share of the network.
// It may crash and come back. Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "packice/p2p/transfer_engine.h"
#include "sim_store.h"
#include "sim_world.h"

namespace packice {

class SimNetwork;
class SimTracker;
class SimTrackerView;

class SimNode final : public TransferNetwork, public LocalObjects {
 public:
  enum class Role { kHonest, kWrongBytes, kSilent };

  SimNode(SimWorld& world, SimNetwork& network, SimTracker& tracker, uint32_t index, Role role,
          double rate_factor);
  ~SimNode() override;

  uint32_t index() const { return index_; }
  const std::string& address() const { return address_; }
  Role role() const { return role_; }
  bool running() const { return engine_ != nullptr; }
  bool sealed() const { return sealed_; }
  // Whether it is here and was found right.
  bool Verified(uint32_t piece) const;
  absl::Duration completed_at() const { return completed_at_; }
  uint64_t failed_fetches() const { return failed_fetches_; }
  uint64_t wasted_bytes() const { return wasted_bytes_ + counters().wasted_bytes; }
  uint64_t banned() const { return banned_ + counters().holders_banned; }
  uint64_t pieces_sent() const { return pieces_sent_; }

  void Boot();
  void Crash();
  // Has the object, or says so.
  void HaveAll();
  // Wants it, until it has it.
  void Want();
  // Calls the engine and sees to it that its time comes.
  template <typename Call>
  void Tell(const Call& call) {
    if (engine_ == nullptr) return;
    call(*engine_);
    ScheduleTick();
  }
  // After everything: what is left.
  void CheckNothingIsLeft();

  // Its links to the world; when they are free again, in nanoseconds.
  double up_rate() const { return world_.options.up_rate * rate_factor_; }
  double down_rate() const { return world_.options.down_rate * rate_factor_; }
  int64_t up_free = 0;
  int64_t down_free = 0;

  LinkId Dial(const std::string& address) override;
  void Send(LinkId link, Frame frame) override;
  void HangUp(LinkId link) override;
  void SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                 std::shared_ptr<PieceStore> store) override;
  void ReceiveInto(LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store) override;
  Instant Heard(LinkId link) const override;

  void Borrow(const ObjectId& object_id,
              Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) override;
  void Create(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest,
              Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) override;
  void Seal(std::shared_ptr<PieceStore> store, Done<absl::Status> done) override;
  void Abandon(std::shared_ptr<PieceStore> store) override;
  void Discard(const ObjectId& object_id, Done<absl::Status> done) override;

 private:
  TransferCounters counters() const {
    return engine_ == nullptr ? TransferCounters() : engine_->counters();
  }
  void ScheduleTick();
  // Runs `work` soon, unless the node has crashed by then.
  template <typename Work>
  void Soon(Work work);
  std::shared_ptr<PieceStore> NewStore(PieceSet held);

  SimWorld& world_;
  SimNetwork& network_;
  SimTracker& tracker_;
  const uint32_t index_;
  const std::string address_;
  const Role role_;
  const double rate_factor_;

  uint64_t life_ = 0;  // how often it has booted or crashed
  int live_stores_ = 0;
  bool wants_ = false;
  bool sealed_ = false;
  bool creating_ = false;
  std::weak_ptr<PieceStore> created_;
  PieceSet kept_;  // verified before a download was cut off
  absl::Duration completed_at_ = absl::InfiniteDuration();
  uint64_t failed_fetches_ = 0;
  uint64_t wasted_bytes_ = 0;  // in former lives
  uint64_t banned_ = 0;
  uint64_t pieces_sent_ = 0;
  int64_t tick_at_ = INT64_MAX;
  std::unique_ptr<SimTrackerView> view_;
  std::unique_ptr<TransferEngine> engine_;
};

}  // namespace packice
