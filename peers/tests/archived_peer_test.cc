// A LocalPeer whose objects an archive keeps, on a fake disk and with threads of its own, obeys
// what every Peer obeys; so does one that runs everything on its callers' threads.
#include <memory>

#include "fake_disk.h"
#include "medium_threads.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/local_peer.h"

namespace packice {
namespace {

class ArchivedPeerUnderTest final : public PeerUnderTest {
 public:
  ArchivedPeerUnderTest(const PeerOptions& options, size_t threads, bool verify_reads) {
    LocalPeerOptions local;
    local.capacity = options.capacity;
    local.eviction.kind = EvictionKind::kLru;
    local.background_reaper = false;
    local.verify_reads = verify_reads;
    local.clock = &clock_;
    local.random = &random_;
    peer_ = std::make_unique<LocalPeer>(
        disk_.MakeStore(), std::make_unique<MemoryLeaseTable>(clock_),
        /*policy=*/nullptr, local, disk_.MakeArchive(),
        threads > 0 ? std::make_unique<MediumThreads>("fake", threads) : nullptr);
    EXPECT_THAT(peer_->Recover(), IsOk());
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    peer_->RunDue();
    peer_->AwaitIdle();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  FakeDisk disk_;
  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<LocalPeer> peer_;
};

PeerParam Archived(std::string name, size_t threads, bool verify_reads) {
  PeerParam param;
  param.name = std::move(name);
  param.make = [=](const PeerOptions& options) {
    return std::make_unique<ArchivedPeerUnderTest>(options, threads, verify_reads);
  };
  param.sees_writable_mappings = false;
  param.maps_unsealed = false;
  return param;
}

const auto kAll = testing::Values(Archived("Threads", 8, false), Archived("OneThread", 1, false),
                                  Archived("Inline", 0, false), Archived("Verifying", 4, true));

INSTANTIATE_TEST_SUITE_P(Archived, PeerConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Archived, PeerRelocateConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Archived, PeerLookupConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Archived, PeerEvictionConformance, kAll, PeerParam::NameOf);

}  // namespace
}  // namespace packice
