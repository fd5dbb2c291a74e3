// The links of a simulated swarm. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "packice/p2p/transfer_engine.h"
#include "sim_world.h"

namespace packice {

class SimNode;

class SimNetwork {
 public:
  explicit SimNetwork(SimWorld& world) : world_(world) {}

  void Add(SimNode& node) { nodes_.push_back(&node); }

  LinkId Dial(SimNode& from, const std::string& address);
  void Send(SimNode& from, LinkId link, Frame frame);
  void HangUp(SimNode& from, LinkId link);
  void SendPiece(SimNode& from, LinkId link, uint32_t channel, uint32_t piece);
  Instant Heard(LinkId id) const;
  void ReceiveInto(SimNode& at, LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store);

  // All links of a node that has crashed.
  void DropAll(const SimNode& node);
  // Any one that is up. Both ends hear of it.
  void BreakOne();
  // Those that cross a partition, after a while.
  void BreakCut();

  size_t up() const { return up_; }
  size_t max_up() const { return max_up_; }

 private:
  struct Channel {
    uint32_t number;
    std::shared_ptr<PieceStore> store;
    std::vector<uint32_t> asked;
    std::vector<uint32_t> early;  // pieces that came before the store
  };
  struct Link {
    SimNode* ends[2];  // the dialler first
    bool alive[2] = {true, true};
    Instant heard = absl::ZeroDuration();  // when a piece last began to come
    bool counted = false;
    int64_t clear_at = 0;  // when the last piece has left, on its way to the dialler
    std::vector<Channel> channels;
  };

  static int EndOf(const Link& link, const SimNode& node) { return &node == link.ends[1]; }
  Channel& ChannelOf(Link& link, uint32_t number);
  void CheckTold(const SimNode& from, const Frame& frame);
  void CheckFrame(Link& link, SimNode& from, const Frame& frame);
  void Deliver(uint64_t id, int end, const Frame& frame);
  void Arrive(uint64_t id, uint32_t channel, uint32_t piece, bool wrong, int64_t last_byte);
  void Land(uint64_t id, uint32_t channel, uint32_t piece, bool wrong);
  void End(uint64_t id, int end, const absl::Status& why);
  void Break(uint64_t id);
  void Uncount(Link& link);

  SimWorld& world_;
  std::vector<SimNode*> nodes_;
  std::vector<std::unique_ptr<Link>> links_;  // by LinkId; null when both ends know it is over
  size_t up_ = 0;
  size_t max_up_ = 0;
};

}  // namespace packice
