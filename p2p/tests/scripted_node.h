// A node whose engine does what a test says, over a real network. Waits for what the test asks.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "asio_network.h"
#include "packice/core/mutex.h"
#include "packice/p2p/testing/memory_pieces.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

class ScriptedNode final : public TransferEvents {
 public:
  struct Piece {
    uint32_t channel;
    uint32_t piece;
    PieceResult result;
  };
  // All that the network has told.
  struct Told {
    std::vector<LinkId> up;
    std::vector<std::pair<LinkId, std::string>> accepted;
    std::vector<std::pair<LinkId, absl::Status>> down;
    std::vector<Frame> frames;
    std::vector<Piece> pieces;
    std::vector<uint32_t> sent;
    std::vector<uint32_t> begun;
    int ticks = 0;
  };

  explicit ScriptedNode(AsioNetworkOptions options = {}, const std::string& listen = "127.0.0.1:0");
  ~ScriptedNode() override { network_.Stop(); }

  const std::string& address() const { return address_; }
  AsioNetwork& network() { return network_; }

  // What to do about them, on the engine's thread. Set before the first link.
  std::function<void(LinkId)> on_up = [](LinkId) {};
  std::function<void(LinkId)> on_accepted = [](LinkId) {};
  std::function<void(LinkId, const Frame&)> on_frame = [](LinkId, const Frame&) {};
  std::function<void(LinkId, const Piece&)> on_piece = [](LinkId, const Piece&) {};

  // Serves this to whoever opens it.
  void Serve(std::shared_ptr<PieceStore> store);
  // Asks for all of it as soon as a link is up, channel 1.
  void Fetch(std::shared_ptr<PieceStore> store);

  // Runs it on the engine's thread, and waits for its end.
  void Run(const std::function<void()>& call);
  LinkId Dial(const std::string& address);
  // Blocks until `holds`; false after 20 seconds.
  bool Await(const std::function<bool(const Told&)>& holds);
  bool AwaitUp() {
    return Await([](const Told& told) { return !told.up.empty(); });
  }
  // Of the first link that went down; OK: none did in time.
  absl::Status AwaitDown();
  Told told() const;

  void OnLinkUp(LinkId link) override;
  void OnAccepted(LinkId link, const std::string& peer) override;
  void OnLinkDown(LinkId link, const absl::Status& why) override;
  void OnFrame(LinkId link, const Frame& frame) override;
  void OnPiece(LinkId link, uint32_t channel, uint32_t piece, PieceResult result) override;
  void OnPieceSent(LinkId link, uint32_t channel, uint32_t piece) override;
  void OnPieceBegins(LinkId link, uint32_t channel, uint32_t piece) override;
  void Tick() override;
  Instant NextTick() const override { return next_tick_; }

  Instant next_tick_ = absl::InfiniteDuration();  // on the engine's thread

 private:
  void Note(const std::function<void(Told&)>& change);

  mutable Mutex mutex_;
  CondVar changed_;
  Told told_ ABSL_GUARDED_BY(mutex_);
  AsioNetwork network_;
  std::string address_;
};

}  // namespace packice
