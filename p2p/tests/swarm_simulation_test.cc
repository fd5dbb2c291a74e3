// Swarms of the production engine under random faults. What must hold in every run is checked by
// the simulation itself; a seed that fails here fails again.
#include "packice/p2p/swarm_simulation.h"

#include <gtest/gtest.h>

#include "random_stream.h"

namespace packice {
namespace {

using ::testing::TestWithParam;

// Small, and with everything that may go wrong, each now and then.
SwarmSimulationOptions RandomSwarm(uint64_t seed) {
  RandomStream random(seed);
  const auto now_and_then = [&](uint64_t most) {
    return static_cast<uint32_t>(random.Below(3) == 0 ? 1 + random.Below(most) : 0);
  };
  SwarmSimulationOptions options;
  options.seed = seed;
  options.nodes = 4 + static_cast<uint32_t>(random.Below(21));
  options.pieces = 1 + static_cast<uint32_t>(random.Below(32));
  options.piece_bytes = uint64_t{64 << 10} << random.Below(5);
  options.latency = absl::Microseconds(50 + static_cast<int64_t>(random.Below(5000)));
  options.zones = 1 + static_cast<uint32_t>(random.Below(3));
  options.arrival_spread = absl::Milliseconds(static_cast<int64_t>(random.Below(300)));
  options.fault_window = absl::Milliseconds(static_cast<int64_t>(10 + random.Below(500)));
  options.link_breaks = now_and_then(20);
  options.crashes = now_and_then(4);
  options.partitions = now_and_then(2);
  options.slow_nodes = now_and_then(3);
  options.liars = now_and_then(4);
  if (random.Below(4) == 0) {
    options.tracker_outage_at = absl::Milliseconds(static_cast<int64_t>(random.Below(200)));
    options.tracker_outage = absl::Seconds(static_cast<int64_t>(1 + random.Below(5)));
    if (random.Below(2) == 0) options.gossip_lag = absl::Milliseconds(200);
  }
  return options;
}

class RandomSwarmTest : public TestWithParam<int> {};

TEST_P(RandomSwarmTest, EverybodyGetsTheObjectAndNothingIsLeft) {
  constexpr int kSeedsOfOne = 40;
  for (int i = 0; i < kSeedsOfOne; ++i) {
    const auto seed = static_cast<uint64_t>(GetParam() * kSeedsOfOne + i);
    const SwarmSimulationReport report = SimulateSwarm(RandomSwarm(seed));
    EXPECT_EQ(report.completed, report.wanted) << "seed " << seed;
    for (const std::string& violation : report.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomSwarmTest, ::testing::Range(0, 10));

TEST(SwarmSimulation, TheSameSeedIsTheSameRun) {
  for (uint64_t seed : {1u, 2u, 3u}) {
    const SwarmSimulationReport first = SimulateSwarm(RandomSwarm(seed));
    const SwarmSimulationReport second = SimulateSwarm(RandomSwarm(seed));
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.events, second.events);
  }
  EXPECT_NE(SimulateSwarm(RandomSwarm(1)).trace_hash, SimulateSwarm(RandomSwarm(2)).trace_hash);
}

TEST(SwarmSimulation, ATrackerThatIsOutMakesItSlowerAndNothingElse) {
  SwarmSimulationOptions options;
  options.nodes = 12;
  options.pieces = 32;
  const SwarmSimulationReport with = SimulateSwarm(options);
  options.tracker_outage = absl::Seconds(3);
  const SwarmSimulationReport without = SimulateSwarm(options);
  EXPECT_EQ(without.completed, without.wanted);
  EXPECT_GT(without.last, with.last);
  EXPECT_TRUE(without.violations.empty());
}

TEST(SwarmSimulation, LiarsAreBannedAndNobodyBelievesThem) {
  SwarmSimulationOptions options;
  options.nodes = 12;
  options.pieces = 32;
  options.liars = 3;
  const SwarmSimulationReport report = SimulateSwarm(options);
  EXPECT_EQ(report.completed, report.wanted);
  EXPECT_GT(report.banned, 0u);
  EXPECT_TRUE(report.violations.empty());
}

TEST(SwarmSimulation, TheLeastTimeIsThatOfTheTheory) {
  EXPECT_EQ(LeastSwarmTime(1, 256, absl::Seconds(1)), absl::Seconds(256));
  EXPECT_EQ(LeastSwarmTime(64, 256, absl::Seconds(1)), absl::Seconds(262));
  EXPECT_EQ(LeastSwarmTime(1000, 256, absl::Seconds(1)), absl::Seconds(265));
}

}  // namespace
}  // namespace packice
