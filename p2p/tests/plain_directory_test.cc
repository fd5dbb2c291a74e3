#include "packice/p2p/testing/plain_directory.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/p2p/testing/directory_conformance.h"
#include "packice/p2p/testing/directory_list_conformance.h"

namespace packice {
namespace {

class Fleet final : public DirectoryFleet {
 public:
  Node AddNode(const std::string& zone) override {
    const std::string address = absl::StrCat("10.0.0.", views_.size() + 1, ":7701");
    views_.push_back(fleet_.Join(address, zone));
    return {views_.back().get(), address};
  }
  void Settle() override {}

 private:
  PlainDirectoryFleet fleet_;
  std::vector<std::unique_ptr<Directory>> views_;
};

const DirectoryParam kPlain{"Plain", [] { return std::make_unique<Fleet>(); }, 2};

INSTANTIATE_TEST_SUITE_P(Plain, DirectoryConformance, testing::Values(kPlain),
                         DirectoryParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Plain, DirectoryListConformance, testing::Values(kPlain),
                         DirectoryParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Plain, DirectoryGrantConformance, testing::Values(kPlain),
                         DirectoryParam::NameOf);

}  // namespace
}  // namespace packice
