// The crash tests would notice if the node left out any one of its syncs.
#include "crash_rounds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

class WithoutASync : public testing::TestWithParam<Step> {};

TEST_P(WithoutASync, SomethingAcknowledgedIsLost) {
  CrashPlan plan;
  plan.crashes = {Crash::kPowerLoss};
  plan.rules = {std::string("skip ") + GetParam().selector};
  CrashRounds crashes(std::move(plan), CrashSeed());
  const std::vector<std::string> complaints = crashes.Run(20);
  EXPECT_THAT(complaints, Not(IsEmpty()));
  for (const std::string& complaint : complaints) std::printf("%s\n", complaint.c_str());
}

INSTANTIATE_TEST_SUITE_P(EachKind, WithoutASync,
                         testing::Values(kBlobSync, kDirectorySync, kCatalogSync, kCatalogLogSync,
                                         kCatalogFileSync, kParentSync, kTopSync, kShardsSync,
                                         kFormatSync),
                         [](const testing::TestParamInfo<Step>& kind) {
                           std::string name = kind.param.name;
                           name.replace(name.find('.'), 1, "_");
                           return name;
                         });

}  // namespace
}  // namespace packice
