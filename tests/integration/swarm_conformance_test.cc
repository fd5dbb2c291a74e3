// A node of a swarm obeys what every Peer obeys.
#include <memory>
#include <string>
#include <utility>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/testing/plain_directory.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

class SwarmPeerUnderTest final : public PeerUnderTest {
 public:
  explicit SwarmPeerUnderTest(const PeerOptions& options) : changes_(EventSink::Null()) {
    LocalPeerOptions local;
    local.capacity = options.capacity;
    local.background_reaper = false;
    local.events = &changes_;
    local.clock = &clock_;
    local.random = &random_;
    std::unique_ptr<LocalPeer> memory = MakeMemoryPeer(std::move(local));
    local_ = memory.get();
    SwarmOptions swarm;
    swarm.clock = &clock_;
    swarm.random = &random_;
    absl::StatusOr<std::unique_ptr<SwarmPeer>> peer = SwarmPeer::Open(
        std::move(memory), changes_,
        [this](const std::string& address) { return fleet_.Join(address, ""); }, nullptr,
        std::move(swarm));
    EXPECT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    local_->RunDue();
    peer_->RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  FakeClock clock_;
  FakeRandom random_;
  PlainDirectoryFleet fleet_;
  ChangeFeed changes_;
  LocalPeer* local_ = nullptr;
  std::unique_ptr<SwarmPeer> peer_;
};

PeerParam Swarm() {
  PeerParam param;
  param.name = "OverMemory";
  param.waits_for_what_is_elsewhere = true;
  param.make = [](const PeerOptions& options) {
    return std::make_unique<SwarmPeerUnderTest>(options);
  };
  return param;
}

INSTANTIATE_TEST_SUITE_P(Swarm, PeerConformance, testing::Values(Swarm()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Swarm, PeerRelocateConformance, testing::Values(Swarm()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Swarm, PeerLookupConformance, testing::Values(Swarm()), PeerParam::NameOf);

}  // namespace
}  // namespace packice
