// A lease that the swarm itself holds at the node's own peer: released when it goes. Move-only.
#pragma once

#include <memory>
#include <utility>

#include "packice/core/peer.h"

namespace packice {

class SwarmLease {
 public:
  SwarmLease() = default;
  // `peer` outlives it.
  SwarmLease(Peer& peer, Grant grant) : peer_(&peer), grant_(std::move(grant)) {}
  SwarmLease(SwarmLease&& other) noexcept { *this = std::move(other); }
  SwarmLease& operator=(SwarmLease&& other) noexcept {
    Release();
    peer_ = std::exchange(other.peer_, nullptr);
    grant_ = std::move(other.grant_);
    return *this;
  }
  ~SwarmLease() { Release(); }

  explicit operator bool() const { return peer_ != nullptr; }
  const Object& object() const { return *grant_.object; }
  std::shared_ptr<Object> shared_object() const { return grant_.object; }
  const Lease& lease() const { return grant_.lease; }

  // The bytes stay readable for as long as the object is shared.
  void Release() {
    Peer* const peer = std::exchange(peer_, nullptr);
    if (peer == nullptr) return;
    LeaseRequest request;
    request.lease_id = grant_.lease.id;
    request.session = grant_.lease.session;
    peer->Release(std::move(request), nullptr);
  }

 private:
  Peer* peer_ = nullptr;
  Grant grant_;
};

}  // namespace packice
