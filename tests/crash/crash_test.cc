// A node on disk dies at any moment, and loses nothing that it acknowledged.
//
// PACKICE_CRASH_SEED repeats a run, as far as threads and the kernel let it; PACKICE_CRASH_ROUNDS
// makes it longer.
#include <cstdio>

#include "crash_rounds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

using ::testing::IsEmpty;

class CrashTest : public testing::Test {
 protected:
  void Run(CrashPlan plan, int usual_rounds) {
    const int rounds = CrashRoundCount(usual_rounds);
    CrashRounds crashes(std::move(plan), CrashSeed());
    EXPECT_THAT(crashes.Run(rounds), IsEmpty());
    EXPECT_GT(crashes.answered(), static_cast<uint64_t>(rounds)) << "there was something to lose";
    std::printf("%d rounds, %llu changes answered\n", rounds,
                static_cast<unsigned long long>(crashes.answered()));
    for (const auto& [death, count] : crashes.deaths()) {
      std::printf("  %3d times %s\n", count, death.c_str());
    }
  }
};

TEST_F(CrashTest, NothingIsLostWhenTheNodeIsKilled) {
  CrashPlan plan;
  plan.crashes = {Crash::kKill};
  plan.real_disk = true;
  Run(plan, 60);
}

#ifdef PACKICE_FAULTY_DISK
std::vector<Step> AllSteps() { return {std::begin(kSteps), std::end(kSteps)}; }

TEST_F(CrashTest, NothingIsLostWhenTheNodeIsKilledInTheMiddleOfACommit) {
  CrashPlan plan;
  plan.crashes = {Crash::kKill};
  plan.steps = AllSteps();
  Run(plan, 100);
}

TEST_F(CrashTest, NothingIsLostWhenThePowerFails) {
  CrashPlan plan;
  plan.crashes = {Crash::kPowerLoss};
  plan.steps = AllSteps();
  Run(plan, 100);
}

TEST_F(CrashTest, NothingIsLostWhateverSurvivesAPowerFailure) {
  CrashPlan plan;
  plan.crashes = {Crash::kPowerLossWithSurvivors};
  plan.steps = AllSteps();
  Run(plan, 100);
}

TEST_F(CrashTest, NothingIsLostWhenOneCrashFollowsAnother) {
  CrashPlan plan;
  plan.crashes = {Crash::kKill, Crash::kKill, Crash::kPowerLoss, Crash::kPowerLossWithSurvivors};
  plan.steps = AllSteps();
  Run(plan, 100);
}
#endif

}  // namespace
}  // namespace packice
