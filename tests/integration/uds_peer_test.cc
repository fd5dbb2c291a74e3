// The Unix-socket transport as a Peer: UdsPeer, over a UdsServer, over a peer in memory or on disk,
// obeys what every Peer obeys.
#include "packice/transport/uds_peer.h"

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_server.h"

namespace packice {
namespace {

std::string MakeTemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "packice-XXXXXX").string();
  return mkdtemp(name.data());
}

class UdsPeerUnderTest final : public PeerUnderTest {
 public:
  UdsPeerUnderTest(const PeerOptions& options, bool on_disk, size_t pieces_from = SIZE_MAX,
                   absl::Duration polls = absl::ZeroDuration(), MemoryBlobStoreOptions memory = {})
      : directory_(MakeTemporaryDirectory()) {
    if (on_disk) {
      FileSystemPeerOptions file_system;
      file_system.directory = directory_ + "/data";
      file_system.capacity = options.capacity;
      file_system.eviction.kind = EvictionKind::kLru;
      file_system.background_reaper = false;
      file_system.clock = &clock_;
      auto node = *FileSystemPeer::Open(file_system);
      run_due_ = [peer = node.get()] {
        peer->RunDue();
        peer->AwaitIdle();
      };
      node_ = std::move(node);
    } else {
      LocalPeerOptions local;
      local.capacity = options.capacity;
      local.eviction.kind = EvictionKind::kLru;
      local.background_reaper = false;
      local.clock = &clock_;
      auto node = MakeMemoryPeer(local, std::move(memory));
      run_due_ = [peer = node.get()] { peer->RunDue(); };
      node_ = std::move(node);
    }
    UdsServerOptions server;
    server.path = directory_ + "/socket";
    server.busy_poll = polls;
    server_ = *UdsServer::Start(*node_, server);
    UdsPeerOptions client;
    client.path = server.path;
    client.pieces_from = pieces_from;
    client.spin = polls;
    peer_ = *UdsPeer::Connect(client);
  }
  ~UdsPeerUnderTest() override {
    peer_.reset();
    server_.reset();
    node_.reset();
    std::filesystem::remove_all(directory_);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    run_due_();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  const std::string directory_;
  FakeClock clock_;
  std::unique_ptr<Peer> node_;
  std::function<void()> run_due_;
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

PeerParam Uds() {
  PeerParam param;
  param.name = "Uds";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPeerUnderTest>(options, /*on_disk=*/false);
  };
  param.ids_are_utf8_only = true;
  return param;
}

// Large objects are written by the node.
PeerParam UdsPieces() {
  PeerParam param = Uds();
  param.name = "UdsPieces";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPeerUnderTest>(options, /*on_disk=*/false, /*pieces_from=*/40'000);
  };
  return param;
}

// A memfd for each object.
PeerParam UdsApart() {
  PeerParam param = Uds();
  param.name = "UdsApart";
  param.make = [](const PeerOptions& options) {
    MemoryBlobStoreOptions memory;
    memory.segment_threshold = 0;
    return std::make_unique<UdsPeerUnderTest>(options, /*on_disk=*/false, SIZE_MAX,
                                              /*polls=*/absl::ZeroDuration(), memory);
  };
  return param;
}

// Both ends keep their cores busy for a moment before they sleep.
PeerParam UdsPolls() {
  PeerParam param = Uds();
  param.name = "UdsPolls";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPeerUnderTest>(options, /*on_disk=*/false, SIZE_MAX,
                                              /*polls=*/absl::Microseconds(100));
  };
  return param;
}

PeerParam UdsDisk() {
  PeerParam param;
  param.name = "UdsDisk";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPeerUnderTest>(options, /*on_disk=*/true);
  };
  param.ids_are_utf8_only = true;
  param.footprint_unit = 4096;
  return param;
}

const auto kPeers = testing::Values(Uds(), UdsPieces(), UdsApart(), UdsPolls(), UdsDisk());
INSTANTIATE_TEST_SUITE_P(Uds, PeerConformance, kPeers, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Uds, PeerRelocateConformance,
                         testing::Values(Uds(), UdsApart(), UdsDisk()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Uds, PeerEvictionConformance,
                         testing::Values(Uds(), UdsPieces(), UdsApart(), UdsDisk()),
                         PeerParam::NameOf);

}  // namespace
}  // namespace packice
