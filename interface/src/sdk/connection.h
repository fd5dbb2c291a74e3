// What a Client and all it hands out share: the peer, the bounds, and which process they belong to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "packice/client.h"
#include "packice/core/peer.h"
#include "packice/transport/protocol.h"
#include "packice/transport/uds_peer.h"
#include "sdk/index_reader.h"
#include "sdk/quota.h"

namespace packice::sdk {

class HeldObjects;

// Thread-safe.
class Connection {
 public:
  // `Remote` is a Peer that can tell its node's statistics and events and call its extension:
  // UdsPeer, HttpPeer.
  template <typename Remote>
  static std::shared_ptr<Connection> ToNode(std::unique_ptr<Remote> peer,
                                            const ConnectOptions& options) {
    NodeStatsCall node_stats = [remote = peer.get()](NodeStatsDone done) {
      remote->NodeStats(std::move(done));
    };
    EventsCall events = [remote = peer.get()](const EventsRequest& request, EventsDone done) {
      remote->Events(request, std::move(done));
    };
    ExtensionCall extension = [remote = peer.get()](ExtensionRequest request, ExtensionDone done) {
      remote->Extension(std::move(request), std::move(done));
    };
    UdsPeer* uds_peer = nullptr;
    if constexpr (std::is_same_v<Remote, UdsPeer>) uds_peer = peer.get();
    auto connection = std::shared_ptr<Connection>(new Connection(
        std::move(peer), std::move(node_stats), std::move(events), std::move(extension), options));
    if (uds_peer != nullptr) connection->ReadWithoutMessages(*uds_peer);
    return connection;
  }
  static std::shared_ptr<Connection> InProcess(std::shared_ptr<Peer> peer,
                                               const ConnectOptions& options);
  ~Connection();

  Peer& peer() { return *peer_; }

  // `unavailable` in a forked child whose node stayed in the parent's process. Nothing of the peer
  // may be touched then: its locks and threads are as the fork found them.
  absl::Status Check() const;

  absl::StatusOr<NodeStats> Stats();
  absl::StatusOr<EventPage> Events(const EventsRequest& request);
  absl::StatusOr<std::string> Call(ExtensionRequest request);

  // The node is another process. Blobs then are descriptors of this process, which count against
  // descriptors() and can be closed once they are mapped. Otherwise they belong to the peer.
  bool is_remote() const { return node_stats_ != nullptr; }
  // For reading without messages; null where the node cannot be read so.
  IndexReader* index() { return index_.get(); }
  // What is held of a node that can be read so; else null.
  HeldObjects* held() { return held_.get(); }
  // As UdsPeer::Present; null of another peer.
  std::shared_ptr<const NodeConnection> node_connection();
  Quota& descriptors() { return descriptors_; }
  Quota& mappings() { return mappings_; }

 private:
  using NodeStatsDone = Done<absl::StatusOr<StatsReply>>;
  using NodeStatsCall = std::function<void(NodeStatsDone)>;
  using EventsDone = Done<absl::StatusOr<EventPage>>;
  using EventsCall = std::function<void(const EventsRequest&, EventsDone)>;
  using ExtensionDone = Done<absl::StatusOr<std::string>>;
  using ExtensionCall = std::function<void(ExtensionRequest, ExtensionDone)>;

  Connection(std::unique_ptr<Peer> peer, NodeStatsCall node_stats, EventsCall events,
             ExtensionCall extension, const ConnectOptions& options);

  void ReadWithoutMessages(UdsPeer& peer);

  std::unique_ptr<Peer> peer_;
  UdsPeer* uds_peer_ = nullptr;  // the same one, where it is one
  std::unique_ptr<IndexReader> index_;
  std::unique_ptr<HeldObjects> held_;
  // Null where the node is in this process.
  const NodeStatsCall node_stats_;
  const EventsCall events_;
  const ExtensionCall extension_;
  const uint64_t generation_;
  Quota descriptors_;
  Quota mappings_;
};

}  // namespace packice::sdk
