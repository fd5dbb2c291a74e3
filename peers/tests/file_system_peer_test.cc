// A peer on disk obeys what every Peer obeys.
#include "packice/peers/file_system_peer.h"

#include <filesystem>
#include <memory>
#include <string>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/peer_conformance.h"
#include "temp_dir.h"

namespace packice {
namespace {

// One data directory for all tests, because it takes a thousand system calls to make one: emptied
// for each, but for its own directories.
class EmptyDataDirectory {
 public:
  EmptyDataDirectory() {
    static TempDir directory;
    path_ = directory.path();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file() && entry.path().filename() != "packice.format") {
        std::filesystem::remove(entry.path());
      }
    }
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class FileSystemPeerUnderTest final : public PeerUnderTest {
 public:
  explicit FileSystemPeerUnderTest(const PeerOptions& options) {
    FileSystemPeerOptions file_system;
    file_system.directory = directory_.path();
    file_system.capacity = options.capacity;
    file_system.eviction.kind = EvictionKind::kLru;
    file_system.background_reaper = false;
    file_system.clock = &clock_;
    file_system.random = &random_;
    absl::StatusOr<std::unique_ptr<FileSystemPeer>> peer = FileSystemPeer::Open(file_system);
    EXPECT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    peer_->RunDue();
    peer_->AwaitIdle();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

 private:
  EmptyDataDirectory directory_;
  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<FileSystemPeer> peer_;
};

PeerParam FileSystem() {
  PeerParam param;
  param.name = "FileSystem";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<FileSystemPeerUnderTest>(options);
  };
  param.footprint_unit = 4096;
  return param;
}

INSTANTIATE_TEST_SUITE_P(FileSystem, PeerConformance, testing::Values(FileSystem()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerRelocateConformance, testing::Values(FileSystem()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerLookupConformance, testing::Values(FileSystem()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(FileSystem, PeerEvictionConformance, testing::Values(FileSystem()),
                         PeerParam::NameOf);

}  // namespace
}  // namespace packice
