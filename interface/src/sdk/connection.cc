#include "sdk/connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/transport/direct_peer.h"
#include "sdk/fork_generation.h"
#include "sdk/held_objects.h"

namespace packice::sdk {

std::shared_ptr<Connection> Connection::InProcess(std::shared_ptr<Peer> peer,
                                                  const ConnectOptions& options) {
  return std::shared_ptr<Connection>(new Connection(std::make_unique<DirectPeer>(std::move(peer)),
                                                    nullptr, nullptr, nullptr, options));
}

Connection::Connection(std::unique_ptr<Peer> peer, NodeStatsCall node_stats, EventsCall events,
                       ExtensionCall extension, const ConnectOptions& options)
    : peer_(std::move(peer)),
      node_stats_(std::move(node_stats)),
      events_(std::move(events)),
      extension_(std::move(extension)),
      generation_(ForkGeneration()),
      descriptors_(options.max_open_descriptors, "open descriptors", "max_open_descriptors"),
      mappings_(options.max_mappings, "mappings", "max_mappings") {}

void Connection::ReadWithoutMessages(UdsPeer& peer) {
  uds_peer_ = &peer;
  index_ = std::make_unique<IndexReader>(peer);
  held_ = std::make_unique<HeldObjects>(*index_);
}

std::shared_ptr<const NodeConnection> Connection::node_connection() {
  return uds_peer_ == nullptr ? nullptr : uds_peer_->Present();
}

Connection::~Connection() {
  // To end what is a copy of the parent's node could wait for threads that this process does not
  // have.
  if (!Check().ok()) (void)peer_.release();
}

absl::Status Connection::Check() const {
  if (is_remote() || generation_ == ForkGeneration()) return absl::OkStatus();
  return MakeError(ErrorKind::kUnavailable,
                   "the node lives in the parent's process and did not follow this forked child; "
                   "connect anew, or share a node's Unix socket");
}

absl::StatusOr<NodeStats> Connection::Stats() {
  if (absl::Status status = Check(); !status.ok()) return status;
  if (!is_remote()) {
    absl::StatusOr<PeerStats> peer = blocking::Stats(*peer_);
    if (!peer.ok()) return peer.status();
    return NodeStats{.peer = *std::move(peer)};
  }
  using Answer = absl::StatusOr<StatsReply>;
  Answer reply =
      blocking::Await<Answer>(*peer_, [this](Done<Answer> done) { node_stats_(std::move(done)); });
  if (!reply.ok()) return reply.status();
  return NodeStats{.peer = reply->peer,
                   .connections = reply->connections,
                   .refused = reply->refused,
                   .descriptors = reply->descriptors,
                   .uptime = reply->uptime,
                   .more_json = std::move(reply->more)};
}

absl::StatusOr<std::string> Connection::Call(ExtensionRequest request) {
  if (absl::Status status = Check(); !status.ok()) return status;
  if (extension_ == nullptr) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("a node in this process has no operation \"", request.op, "\""));
  }
  using Answer = absl::StatusOr<std::string>;
  return blocking::Await<Answer>(
      *peer_, [&](Done<Answer> done) { extension_(std::move(request), std::move(done)); });
}

absl::StatusOr<EventPage> Connection::Events(const EventsRequest& request) {
  if (absl::Status status = Check(); !status.ok()) return status;
  if (events_ == nullptr) {
    return MakeError(ErrorKind::kUnsupported,
                     "a node in this process keeps no events; give its peer an EventSink");
  }
  using Answer = absl::StatusOr<EventPage>;
  return blocking::Await<Answer>(*peer_,
                                 [&](Done<Answer> done) { events_(request, std::move(done)); });
}

}  // namespace packice::sdk
