// A peer on disk obeys what every Peer obeys.
#include "packice/peers/file_system_peer.h"

#include <memory>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/peer_conformance.h"
#include "temp_dir.h"

namespace packice {
namespace {

class FileSystemPeerUnderTest final : public PeerUnderTest {
 public:
  FileSystemPeerUnderTest(const PeerOptions& options, bool verify_reads) {
    FileSystemPeerOptions file_system;
    file_system.directory = directory_.path();
    file_system.capacity = options.capacity;
    file_system.verify_reads = verify_reads;
    file_system.background_reaper = false;
    file_system.clock = &clock_;
    file_system.random = &random_;
    peer_ = *FileSystemPeer::Open(file_system);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    peer_->RunDue();
    peer_->AwaitIdle();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  TempDir directory_;
  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<FileSystemPeer> peer_;
};

PeerParam OnDisk(std::string name, bool verify_reads) {
  PeerParam param;
  param.name = std::move(name);
  param.make = [=](const PeerOptions& options) {
    return std::make_unique<FileSystemPeerUnderTest>(options, verify_reads);
  };
  param.footprint_unit = 4096;
  return param;
}

const auto kAll = testing::Values(OnDisk("Plain", false), OnDisk("Verifying", true));

INSTANTIATE_TEST_SUITE_P(FileSystem, PeerConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerRelocateConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerLookupConformance, kAll, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerEvictionConformance, kAll, PeerParam::NameOf);

}  // namespace
}  // namespace packice
