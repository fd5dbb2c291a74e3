// What a Client and all it hands out share: the peer, the bounds, and which process they belong to.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "packice/client.h"
#include "packice/core/peer.h"
#include "packice/transport/uds_peer.h"
#include "sdk/quota.h"

namespace packice::sdk {

// Thread-safe.
class Connection {
 public:
  static std::shared_ptr<Connection> OverSocket(std::unique_ptr<UdsPeer> peer,
                                                const ConnectOptions& options);
  static std::shared_ptr<Connection> InProcess(std::shared_ptr<Peer> peer,
                                               const ConnectOptions& options);
  ~Connection();

  Peer& peer() { return *peer_; }

  // `unavailable` in a forked child whose node stayed in the parent's process. Nothing of the peer
  // may be touched then: its locks and threads are as the fork found them.
  absl::Status Check() const;

  absl::StatusOr<NodeStats> Stats();

  // Blobs arrive as descriptors of this process, which count against descriptors() and can be
  // closed once they are mapped. Otherwise they belong to the peer.
  bool passes_descriptors() const { return socket_ != nullptr; }
  Quota& descriptors() { return descriptors_; }
  Quota& mappings() { return mappings_; }

 private:
  Connection(std::unique_ptr<Peer> peer, UdsPeer* socket, const ConnectOptions& options);

  std::unique_ptr<Peer> peer_;
  UdsPeer* const socket_;  // peer_, if it is one
  const uint64_t generation_;
  Quota descriptors_;
  Quota mappings_;
};

}  // namespace packice::sdk
