// The tiers of a node, put together: peers over peers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/node_reads.h"
#include "cli/tier_spec.h"
#include "packice/core/event_sink.h"
#include "packice/core/peer.h"
#include "packice/peers/local_peer.h"
#include "packice/peers/tier_events.h"
#include "packice/peers/tiered_peer.h"

namespace packice::cli {

// "a fs node of 1.0 TiB, nine tenths of ...", "a tiered node: hot: mem of 4.0 GiB; cold: node
// http://...". `io` when the size of a file system cannot be told.
absl::StatusOr<std::string> DescribeTiers(const std::vector<TierSpec>& tiers);

// Owned by the node; the peer is thread-safe, the rest is for one thread.
class PeerStack {
 public:
  using Log = std::function<void(absl::string_view)>;

  // Opens every tier, the coldest first; a node elsewhere must answer, files are recovered. Blocks
  // for that long. `sink` outlives the stack; it is told in which tier each event happened, if
  // there are several. Errors are those of the peers, of files that cannot be read, and
  // `invalid_argument` for settings that cannot be.
  // Requires: at least one tier.
  static absl::StatusOr<std::unique_ptr<PeerStack>> Open(const std::vector<TierSpec>& tiers,
                                                         EventSink& sink, Log log);
  ~PeerStack();

  Peer& peer() { return *peer_; }
  // Gives the peer to somebody who stands in front of it and lets it live until Flush has been
  // called for the last time. peer() is nothing from then on.
  std::unique_ptr<Peer> TakePeer() { return std::move(peer_); }
  bool tiered() const { return !boundaries_.empty(); }
  // For clients that read without messages: of the hottest tier, where that is memory. May be null.
  SharedReads* reads() const { return reads_.get(); }

  // Has colder tiers take what hotter ones alone have, the hottest first. Blocks, at most
  // `patience` for all. Answers what went wrong where bytes are lost by it: what a tier of files
  // keeps is only logged, because the next start takes it up.
  absl::Status Flush(absl::Duration patience);

 private:
  struct Boundary {
    TieredPeer* peer;
    std::string hotter;  // the name of its hot tier
    bool durable;        // that tier keeps what is not flushed
  };

  explicit PeerStack(Log log) : log_(std::move(log)) {}
  absl::Status Build(const std::vector<TierSpec>& tiers, EventSink& sink);
  // A tier on its own.
  absl::StatusOr<std::unique_ptr<Peer>> OpenTier(const TierSpec& tier, bool hottest,
                                                 EventSink& sink);
  std::unique_ptr<Peer> OpenMemory(const TierSpec& tier, bool hottest, LocalPeerOptions options);
  absl::StatusOr<std::unique_ptr<Peer>> OpenRemote(const TierSpec& tier);
  // `hot` and `cold` as one.
  absl::Status Join(const TierSpec& tier, const std::string& name, std::unique_ptr<Peer> hot,
                    EventSink& sink);

  const Log log_;
  // Outlive the peers that publish to them.
  std::vector<std::unique_ptr<TierEvents>> sinks_;
  std::unique_ptr<NodeReads> reads_;  // may be null
  std::unique_ptr<Peer> peer_;
  std::vector<Boundary> boundaries_;  // the coldest first
};

}  // namespace packice::cli
