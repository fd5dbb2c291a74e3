// The directory of members: the suite of all directories, over nodes that gossip on loopback.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/p2p/gossip_node.h"
#include "packice/p2p/testing/directory_conformance.h"
#include "packice/p2p/testing/directory_list_conformance.h"

namespace packice {
namespace {

class Fleet final : public DirectoryFleet {
 public:
  Node AddNode(const std::string& zone) override {
    GossipOptions options;
    options.address = absl::StrCat("10.0.0.", nodes_.size() + 1, ":7701");
    options.zone = zone;
    options.probe_interval = absl::Milliseconds(500);
    options.probe_timeout = absl::Milliseconds(250);
    options.gossip_interval = absl::Milliseconds(10);
    for (const auto& node : nodes_) options.join.push_back(node->gossip_address());
    nodes_.push_back(*GossipNode::Start(options));
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!AllKnowAll() && absl::Now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(AllKnowAll());
    return {&nodes_.back()->directory(), options.address};
  }
  void Settle() override {}

 private:
  bool AllKnowAll() const {
    for (const auto& node : nodes_) {
      if (node->Members().size() != nodes_.size()) return false;
    }
    return true;
  }

  std::vector<std::unique_ptr<GossipNode>> nodes_;
};

// Grants are not counted: members go by ranks that each works out for itself.
const DirectoryParam kGossip{"Gossip", [] { return std::make_unique<Fleet>(); }, 0};

INSTANTIATE_TEST_SUITE_P(Gossip, DirectoryConformance, testing::Values(kGossip),
                         DirectoryParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Gossip, DirectoryListConformance, testing::Values(kGossip),
                         DirectoryParam::NameOf);

}  // namespace
}  // namespace packice
