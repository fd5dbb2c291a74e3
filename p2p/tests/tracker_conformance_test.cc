#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loopback_trackers.h"
#include "packice/p2p/directory_chain.h"
#include "packice/p2p/testing/directory_conformance.h"
#include "packice/p2p/testing/directory_list_conformance.h"
#include "packice/p2p/testing/plain_directory.h"

namespace packice {
namespace {

// A fleet of so many trackers.
class TrackerFleet : public DirectoryFleet {
 public:
  explicit TrackerFleet(int trackers) {
    for (int i = 0; i < trackers; ++i) servers_.push_back(StartTracker());
  }

  Node AddNode(const std::string& zone) override {
    TrackerDirectoryOptions options;
    for (const auto& server : servers_) options.trackers.push_back(server->address());
    options.address = absl::StrCat("10.0.0.", directories_.size() + 1, ":7701");
    options.zone = zone;
    options.batch_delay = absl::Milliseconds(1);
    options.call_timeout = absl::Seconds(20);
    directories_.push_back(Join(options));
    // A node has a voice once the trackers know it.
    EXPECT_THAT(directories_.back()->Flush(absl::Seconds(20)), IsOk());
    return {directories_.back().get(), options.address};
  }
  void Settle() override {
    for (const auto& directory : directories_) {
      EXPECT_THAT(directory->Flush(absl::Seconds(20)), IsOk());
    }
  }

 protected:
  std::vector<std::unique_ptr<TrackerServer>> servers_;
  std::vector<std::unique_ptr<TrackerDirectory>> directories_;
};

// The same behind a chain, whose second directory knows the same.
class ChainFleet final : public TrackerFleet {
 public:
  ChainFleet() : TrackerFleet(1) {}

  Node AddNode(const std::string& zone) override {
    Node node = TrackerFleet::AddNode(zone);
    views_.push_back(plain_.Join(node.address, zone));
    chains_.push_back(std::make_unique<DirectoryChain>(
        std::vector<Directory*>{node.directory, views_.back().get()}));
    node.directory = chains_.back().get();
    return node;
  }

 private:
  PlainDirectoryFleet plain_;
  std::vector<std::unique_ptr<Directory>> views_;
  std::vector<std::unique_ptr<DirectoryChain>> chains_;
};

DirectoryParam Trackers(int trackers) {
  return {absl::StrCat("Trackers", trackers),
          [trackers] { return std::make_unique<TrackerFleet>(trackers); }, 2};
}
const DirectoryParam kChain{"Chain", [] { return std::make_unique<ChainFleet>(); }, 2};

INSTANTIATE_TEST_SUITE_P(Tracker, DirectoryConformance,
                         testing::Values(Trackers(1), Trackers(2), Trackers(3), kChain),
                         DirectoryParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Tracker, DirectoryListConformance,
                         testing::Values(Trackers(1), Trackers(2), Trackers(3), kChain),
                         DirectoryParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Tracker, DirectoryGrantConformance,
                         testing::Values(Trackers(1), Trackers(2), Trackers(3), kChain),
                         DirectoryParam::NameOf);

}  // namespace
}  // namespace packice
