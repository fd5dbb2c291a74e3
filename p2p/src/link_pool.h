// The links that this node dialled, and the channels on them: one link to each address, used by
// whoever reads from there, and hung up when nobody did for a while.
//
// Of one engine; thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "engine_context.h"
#include "packice/p2p/frame.h"

namespace packice {

class LinkPool {
 public:
  // Who uses a channel. Told of what comes on it until Close or OnLost; may call the pool.
  class User {
   public:
    virtual ~User() = default;
    // False: this is not what the protocol allows, and the link is hung up.
    virtual bool OnFrame(const Frame& frame) = 0;
    virtual void OnPieceBegins(uint32_t piece) = 0;
    virtual void OnPiece(uint32_t piece, TransferEngine::PieceResult result) = 0;
    // The link is down. The channel is over.
    virtual void OnLost(const absl::Status& why) = 0;
  };
  struct Channel {
    LinkId link;
    uint32_t number;
  };

  // The context outlives the pool.
  explicit LinkPool(EngineContext& context) : context_(context) {}

  // A channel to `address`, over the link that there is or a new one. Frames wait for the link.
  Channel Open(const std::string& address, User& user);
  void Send(Channel channel, Frame frame);
  // Tells the other side and forgets the user.
  void Close(Channel channel);

  bool Owns(LinkId link) const { return links_.contains(link); }
  void OnUp(LinkId id);
  void OnDown(LinkId id, const absl::Status& why);
  void OnFrame(LinkId id, uint32_t channel, const Frame& frame);
  void OnPieceBegins(LinkId id, uint32_t channel, uint32_t piece);
  void OnPiece(LinkId id, uint32_t channel, uint32_t piece, TransferEngine::PieceResult result);
  // The other side does not keep to the protocol.
  void HangUp(LinkId id, const absl::Status& why);

  // Who uses the link has waited in vain for so long. A link on which nothing at all has come since
  // may be dead without anybody knowing, so it is hung up.
  void HangUpIfSilent(LinkId id, absl::Duration patience);

  void Tick(Instant now);

 private:
  struct Link {
    std::string address;
    bool up = false;
    uint32_t next_channel = 1;
    std::map<uint32_t, User*> users;  // by channel, in the order of opening
    std::vector<Frame> waiting;       // until it is up
    Instant idle_since = absl::InfiniteDuration();
    Instant heard = absl::ZeroDuration();
  };

  LinkId LinkTo(const std::string& address);

  EngineContext& context_;
  absl::flat_hash_map<LinkId, std::unique_ptr<Link>> links_;
  std::map<std::string, LinkId> by_address_;
};

}  // namespace packice
