// What holds of a fleet whatever happens to it, over hundreds of seeds.
#include "packice/p2p/gossip_simulation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "split_mix.h"

namespace packice {
namespace {

constexpr uint64_t kSeeds = 100;

// A fleet of 3 to 64 nodes on a network that delays, and loses but at the end: where messages are
// lost, somebody is always just being suspected.
GossipSimulationOptions FleetOf(uint64_t seed, SplitMix& random,
                                absl::Duration duration = absl::Seconds(160)) {
  GossipSimulationOptions options;
  options.seed = seed;
  options.nodes = 3 + random.Below(62);
  options.loss = 0.05 * random.Unit();
  options.max_latency = absl::Milliseconds(1 + random.Below(80));
  options.duration = duration;
  options.loss_until = duration - absl::Seconds(50);
  return options;
}

// Longest suspicion, the wait for a first probe, and what spreading takes.
double PeriodsUntilDead(size_t nodes) {
  const double shortest = 4 * std::max(1.0, std::log10(static_cast<double>(nodes)));
  return std::max(6 * shortest, 12.0) + 15;
}

TEST(GossipSimulationTest, TheSameSeedGivesTheSameTrace) {
  GossipSimulationOptions options;
  options.loss = 0.02;
  options.crashes = {{3, absl::Seconds(10), absl::nullopt}};
  const uint64_t trace = SimulateGossip(options).trace_hash;
  EXPECT_EQ(SimulateGossip(options).trace_hash, trace);
  options.seed = 2;
  EXPECT_NE(SimulateGossip(options).trace_hash, trace);
}

TEST(GossipSimulationTest, ThoseStartedAtOnceFindTogether) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random, absl::Seconds(90));
    options.joined = false;
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
  }
}

TEST(GossipSimulationTest, ACrashIsKnownToAllWithinTheBound) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random);
    const size_t crashes = 1 + random.Below(std::min<size_t>(3, options.nodes - 2));
    for (size_t i = 0; i < crashes; ++i) {
      options.crashes.push_back({i, absl::Seconds(5 + 20 * random.Unit()), absl::nullopt});
    }
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
    ASSERT_EQ(report.detections.size(), crashes);
    for (const auto& detection : report.detections) {
      EXPECT_LT(detection.known_to_all, PeriodsUntilDead(options.nodes)) << "seed " << seed;
    }
  }
}

TEST(GossipSimulationTest, TheFirstProbeOfACrashComesWhenTheoryHasIt) {
  double periods = 0;
  constexpr uint64_t kCrashes = 200;
  for (uint64_t seed = 1; seed <= kCrashes; ++seed) {
    GossipSimulationOptions options;
    options.seed = seed;
    options.nodes = 100;
    options.duration = absl::Seconds(15);
    options.crashes = {{seed % 100, absl::Seconds(3 + SplitMix(seed).Unit()), absl::nullopt}};
    periods += std::ceil(SimulateGossip(options).detections.at(0).first_probed);
  }
  EXPECT_NEAR(periods / kCrashes, 1.58, 0.2);
}

TEST(GossipSimulationTest, ANodeThatStallsForTenSecondsIsNotTakenForDeadNorTakesOthers) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random);
    for (size_t i = 0; i < 4; ++i) {
      options.stalls.push_back(
          {random.Below(options.nodes), absl::Seconds(5 + 25 * i), absl::Seconds(10)});
    }
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_GT(report.suspicions, 0) << "the stall was not noticed at all";
  }
}

TEST(GossipSimulationTest, APartitionHeals) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random, absl::Seconds(300));
    options.partitions = {{1 + random.Below(options.nodes - 1), absl::Seconds(5),
                           absl::Seconds(30 + 90 * random.Unit())}};
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
  }
}

TEST(GossipSimulationTest, ARestartedProcessTakesItsOldPlace) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random, absl::Seconds(180));
    for (size_t node : {0, 1}) {
      options.crashes.push_back(
          {node, absl::Seconds(5 + 5 * random.Unit()), absl::Seconds(1 + 60 * random.Unit())});
    }
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
  }
}

TEST(GossipSimulationTest, AFleetThatIsRestartedAsAWholeFindsTogetherAgain) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random, absl::Seconds(180));
    for (size_t node = 0; node < options.nodes; ++node) {
      options.crashes.push_back(
          {node, absl::Seconds(5 + random.Unit()), absl::Seconds(2 + 30 * random.Unit())});
    }
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.false_deaths, 0) << "seed " << seed;
  }
}

TEST(GossipSimulationTest, WhoLeavesIsGoneWithoutBeingSuspected) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SplitMix random(seed);
    GossipSimulationOptions options = FleetOf(seed, random, absl::Seconds(80));
    options.loss = 0;
    options.leaves = {{0, absl::Seconds(10)}};
    const GossipSimulationReport report = SimulateGossip(options);
    EXPECT_TRUE(report.agreed) << "seed " << seed << ": " << report.disagreement;
    EXPECT_EQ(report.suspicions, 0) << "seed " << seed;
  }
}

TEST(GossipSimulationTest, NewsOfAllNodesDoNotKeepACrashFromBeingTold) {
  GossipSimulationOptions options;
  options.nodes = 64;
  options.news_interval = absl::Milliseconds(100);
  options.crashes = {{7, absl::Seconds(20), absl::nullopt}};
  options.duration = absl::Seconds(90);
  const GossipSimulationReport report = SimulateGossip(options);
  EXPECT_LT(report.detections.at(0).known_to_all, PeriodsUntilDead(64));
  EXPECT_LE(report.largest_message, 1400);
}

TEST(GossipSimulationTest, OneThatHearsNothingDoesNotStormTheFleet) {
  GossipSimulationOptions options;
  options.nodes = 64;
  options.duration = absl::Seconds(120);
  for (int second = 2; second < 100; second += 12) {
    options.stalls.push_back({0, absl::Seconds(second), absl::Seconds(10)});
  }
  const GossipSimulationReport sick = SimulateGossip(options);
  EXPECT_EQ(sick.false_deaths, 0);
  EXPECT_LT(sick.bytes_per_node_second, 1000);
}

TEST(GossipSimulationTest, AThousandNodesFindWhatCrashed) {
  GossipSimulationOptions options;
  options.nodes = 1000;
  options.loss = 0.01;
  options.duration = absl::Seconds(60);
  for (size_t node : {1, 500, 999}) {
    options.crashes.push_back({node, absl::Seconds(5), absl::nullopt});
  }
  options.stalls = {{10, absl::Seconds(7), absl::Seconds(10)}};
  const GossipSimulationReport report = SimulateGossip(options);
  EXPECT_TRUE(report.agreed) << report.disagreement;
  EXPECT_EQ(report.false_deaths, 0);
  EXPECT_LE(report.largest_message, 1400);
  for (const auto& detection : report.detections) {
    EXPECT_LT(detection.first_probed, 10);
    EXPECT_LT(detection.known_to_all, 30);
  }
}

}  // namespace
}  // namespace packice
