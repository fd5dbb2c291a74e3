// A node of a swarm in this process, over loopback, with the fleet's directory beside it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "packice/core/blocking.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/testing/plain_directory.h"
#include "packice/peers/memory_peer.h"

namespace packice {

class SwarmHost {
 public:
  static constexpr SessionId kSession{1'000'001};

  using MakeLocal = std::function<std::unique_ptr<Peer>(EventSink&)>;

  static std::unique_ptr<Peer> Memory(EventSink& events) {
    LocalPeerOptions options;
    options.events = &events;
    return MakeMemoryPeer(std::move(options));
  }

  explicit SwarmHost(PlainDirectoryFleet& fleet, MakeLocal make_local = Memory,
                     std::unique_ptr<Peer> origin = nullptr, SwarmOptions options = {})
      : changes_(EventSink::Null()) {
    absl::StatusOr<std::unique_ptr<SwarmPeer>> peer = SwarmPeer::Open(
        make_local(changes_), changes_,
        [&fleet](const std::string& address) { return fleet.Join(address, ""); }, std::move(origin),
        std::move(options));
    EXPECT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }

  SwarmPeer& peer() { return *peer_; }
  const std::string& address() const { return peer_->address(); }
  void Stop() { peer_.reset(); }

  static ObjectId Id(absl::string_view id) { return *ObjectId::Parse(id); }

  // Creates, writes and seals an object of these blobs, and lets go of it.
  absl::Status Put(absl::string_view id, const std::vector<std::string>& blobs,
                   const Metadata& metadata = {},
                   absl::optional<absl::Duration> object_ttl = absl::nullopt) {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = Id(id);
    for (const std::string& blob : blobs) create.blob_sizes.push_back(blob.size());
    create.metadata = metadata;
    create.object_ttl = object_ttl;
    create.session = kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, std::move(create));
    if (!grant.ok()) return grant.status();
    for (size_t i = 0; i < blobs.size(); ++i) {
      absl::Status status = grant->object->blobs()[i]->Write(0, blobs[i]);
      if (!status.ok()) return status;
    }
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = kSession;
    if (absl::Status status = blocking::Seal(*peer_, std::move(seal)).status(); !status.ok()) {
      return status;
    }
    return Release(*grant);
  }

  absl::StatusOr<Grant> Acquire(absl::string_view id, Access access = Access::kRead,
                                absl::Duration wait = absl::ZeroDuration()) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.wait = wait;
    request.session = kSession;
    return blocking::Acquire(*peer_, std::move(request));
  }

  absl::Status Release(const Grant& grant) {
    LeaseRequest release;
    release.lease_id = grant.lease.id;
    release.session = kSession;
    return blocking::Release(*peer_, std::move(release));
  }

  // The blobs' bytes.
  absl::StatusOr<std::vector<std::string>> Get(absl::string_view id,
                                               absl::Duration wait = absl::ZeroDuration()) {
    absl::StatusOr<Grant> grant = Acquire(id, Access::kRead, wait);
    if (!grant.ok()) return grant.status();
    std::vector<std::string> blobs;
    for (const auto& blob : grant->object->blobs()) {
      std::string bytes(blob->size(), '\0');
      absl::StatusOr<size_t> n = blob->Read(0, absl::MakeSpan(&bytes[0], bytes.size()));
      if (!n.ok()) return n.status();
      EXPECT_EQ(*n, bytes.size());
      blobs.push_back(std::move(bytes));
    }
    if (absl::Status status = Release(*grant); !status.ok()) return status;
    return blobs;
  }

  absl::Status Discard(absl::string_view id) {
    absl::StatusOr<Grant> grant = Acquire(id, Access::kWrite);
    if (!grant.ok()) return grant.status();
    LeaseRequest discard;
    discard.lease_id = grant->lease.id;
    discard.session = kSession;
    return blocking::Discard(*peer_, std::move(discard));
  }

 private:
  ChangeFeed changes_;
  std::unique_ptr<SwarmPeer> peer_;
};

}  // namespace packice
