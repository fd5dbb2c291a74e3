// A node with a tier in memory over one on disk dies at any moment. Writing through it loses
// nothing that it acknowledged; writing back, nothing that it said its cold tier has.
//
// PACKICE_CRASH_SEED and PACKICE_CRASH_ROUNDS as for crash_test.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "crash_rounds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

// The hot tier has room for what is written at a time, but not for all: objects move all the time.
CrashPlan Tiered(const std::string& policy) {
  CrashPlan plan;
  plan.crashes = {Crash::kKill};
  plan.tiered = {"--hot-capacity", "24MiB", "--cold-capacity", "1GiB", "--write-policy", policy,
                 "--flush-after",  "0.01",  "--high-water",    "0.03", "--low-water",    "0.01"};
  plan.writers.until_cold = policy == "back";
  return plan;
}

void Endure(CrashPlan plan, int usual_rounds) {
  const int rounds = CrashRoundCount(usual_rounds);
  CrashRounds crashes(std::move(plan), CrashSeed());
  EXPECT_THAT(crashes.Run(rounds), testing::IsEmpty());
  EXPECT_GT(crashes.answered(), static_cast<uint64_t>(rounds)) << "there was something to lose";
  std::printf("%d rounds, %llu changes answered\n", rounds,
              static_cast<unsigned long long>(crashes.answered()));
}

TEST(TieredCrashTest, WritingThroughLosesNothingThatIsAcknowledged) {
  CrashPlan plan = Tiered("through");
  plan.real_disk = true;
  Endure(std::move(plan), 50);
}

TEST(TieredCrashTest, WritingBackLosesNothingThatIsDemoted) {
  CrashPlan plan = Tiered("back");
  plan.real_disk = true;
  Endure(std::move(plan), 50);
}

#ifdef PACKICE_FAULTY_DISK
TEST(TieredCrashTest, WritingThroughLosesNothingWhateverSurvivesAPowerFailure) {
  CrashPlan plan = Tiered("through");
  plan.crashes = {Crash::kKill, Crash::kPowerLoss, Crash::kPowerLossWithSurvivors};
  plan.steps = {std::begin(kSteps), std::end(kSteps)};
  Endure(std::move(plan), 50);
}

TEST(TieredCrashTest, WritingBackLosesNothingDemotedWhateverSurvivesAPowerFailure) {
  CrashPlan plan = Tiered("back");
  plan.crashes = {Crash::kKill, Crash::kPowerLoss, Crash::kPowerLossWithSurvivors};
  plan.steps = {std::begin(kSteps), std::end(kSteps)};
  Endure(std::move(plan), 50);
}
#endif

}  // namespace
}  // namespace packice
