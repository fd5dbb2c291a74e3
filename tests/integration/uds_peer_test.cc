// The Unix-socket transport as a Peer: UdsPeer, over a UdsServer, over a MemoryPeer, obeys what
// every Peer obeys.
#include "packice/transport/uds_peer.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/peer_conformance.h"
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
  explicit UdsPeerUnderTest(const PeerOptions& options) : directory_(MakeTemporaryDirectory()) {
    LocalPeerOptions local;
    local.capacity = options.capacity;
    local.background_reaper = false;
    local.clock = &clock_;
    node_ = MakeMemoryPeer(local);
    UdsServerOptions server;
    server.path = directory_ + "/socket";
    server_ = *UdsServer::Start(*node_, server);
    UdsPeerOptions client;
    client.path = server.path;
    peer_ = *UdsPeer::Connect(client);
  }
  ~UdsPeerUnderTest() override {
    peer_.reset();
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    node_->RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  const std::string directory_;
  FakeClock clock_;
  std::unique_ptr<LocalPeer> node_;
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

PeerParam Uds() {
  PeerParam param;
  param.name = "Uds";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPeerUnderTest>(options);
  };
  param.ids_are_utf8_only = true;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Uds, PeerConformance, testing::Values(Uds()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Uds, PeerEvictionConformance, testing::Values(Uds()), PeerParam::NameOf);

}  // namespace
}  // namespace packice
