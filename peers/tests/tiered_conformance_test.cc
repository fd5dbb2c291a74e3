// Two tiers obey what every Peer obeys, whatever they are and whenever a Seal is answered.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/faulty_peer.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/peers/tiered_peer.h"
#include "temp_dir.h"

namespace packice {
namespace {

enum class Cold { kMemory, kDisk, kRemote };

// One for all tests, because it takes a thousand system calls to make one.
std::string EmptyDataDirectory() {
  static const TempDir directory;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    if (entry.is_regular_file() && entry.path().filename() != "packice.format") {
      std::filesystem::remove(entry.path());
    }
  }
  return directory.path();
}

class TieredPeerUnderTest final : public PeerUnderTest {
 public:
  TieredPeerUnderTest(const PeerOptions& options, Cold cold, WritePolicy policy) {
    TieredPeerOptions tiered;
    tiered.write_policy = policy;
    tiered.background = false;
    tiered.clock = &clock_;
    tiered.random = &random_;
    std::unique_ptr<LocalPeer> hot = MakeMemory(options.capacity);
    hot_ = hot.get();
    absl::StatusOr<std::unique_ptr<TieredPeer>> peer =
        TieredPeer::Open(std::move(hot), MakeCold(cold), std::move(tiered));
    EXPECT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    run_cold_();
    hot_->RunDue();
    peer_->RunDue();
    peer_->AwaitIdle();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  std::unique_ptr<LocalPeer> MakeMemory(absl::optional<uint64_t> capacity) {
    LocalPeerOptions options;
    options.capacity = capacity;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    return MakeMemoryPeer(std::move(options));
  }

  std::unique_ptr<Peer> MakeCold(Cold kind) {
    if (kind != Cold::kDisk) {
      std::unique_ptr<LocalPeer> memory = MakeMemory(absl::nullopt);
      run_cold_ = [cold = memory.get()] { cold->RunDue(); };
      if (kind == Cold::kMemory) return memory;
      return std::make_unique<FaultyPeer>(std::move(memory), FaultyPeer::Blobs::kRemote);
    }
    FileSystemPeerOptions options;
    options.directory = EmptyDataDirectory();
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    absl::StatusOr<std::unique_ptr<FileSystemPeer>> disk = FileSystemPeer::Open(std::move(options));
    EXPECT_THAT(disk, IsOk());
    run_cold_ = [cold = disk->get()] {
      cold->RunDue();
      cold->AwaitIdle();
    };
    return *std::move(disk);
  }

  FakeClock clock_;
  FakeRandom random_;
  LocalPeer* hot_ = nullptr;
  std::function<void()> run_cold_;
  std::unique_ptr<TieredPeer> peer_;
};

PeerParam Tiered(const std::string& name, Cold cold, WritePolicy policy) {
  PeerParam param;
  param.name = name;
  param.one_copy = false;
  param.make = [cold, policy](const PeerOptions& options) {
    return std::make_unique<TieredPeerUnderTest>(options, cold, policy);
  };
  return param;
}

const auto kMakes =
    testing::Values(Tiered("OverMemory", Cold::kMemory, WritePolicy::kBack),
                    Tiered("OverDisk", Cold::kDisk, WritePolicy::kBack),
                    Tiered("OverARemotePeer", Cold::kRemote, WritePolicy::kBack),
                    Tiered("OverMemoryWriteThrough", Cold::kMemory, WritePolicy::kThrough),
                    Tiered("OverARemotePeerWriteThrough", Cold::kRemote, WritePolicy::kThrough));
INSTANTIATE_TEST_SUITE_P(Tiered, PeerConformance, kMakes, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Tiered, PeerRelocateConformance, kMakes, PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Tiered, PeerLookupConformance, kMakes, PeerParam::NameOf);

}  // namespace
}  // namespace packice
