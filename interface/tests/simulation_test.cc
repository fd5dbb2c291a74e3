// The simulation and, in it, the production policies: request by request as published.
#include "cli/simulation.h"

#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "cli/synthetic_trace.h"
#include "gmock/gmock.h"
#include "packice/core/testing/status_matchers.h"
#include "published_policies.h"

namespace packice::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

EvictionSpec Spec(const std::string& text) { return *ParseEvictionSpec(text); }

std::unique_ptr<Published> MakePublished(const EvictionSpec& spec, uint64_t capacity) {
  switch (spec.kind) {
    case EvictionKind::kLru:
      return std::make_unique<PublishedQueue>(capacity, true);
    case EvictionKind::kFifo:
      return std::make_unique<PublishedQueue>(capacity, false);
    case EvictionKind::kSieve:
      return std::make_unique<PublishedSieve>(capacity);
    default:
      return std::make_unique<PublishedS3Fifo>(capacity, spec.small, spec.ghost,
                                               static_cast<int>(spec.promote));
  }
}

// What caches meet: a skewed mix, once with small and large objects, then a scan of what is never
// asked for again, a loop over more than fits, and the mix again.
Trace Mixed(uint64_t seed, uint64_t min_size, uint64_t max_size) {
  ZipfOptions options;
  options.objects = 400;
  options.requests = 3000;
  options.alpha = 0.9;
  options.seed = seed;
  options.min_size = min_size;
  options.max_size = max_size;
  Trace trace = MakeZipf(options);
  const std::vector<uint32_t> mix = trace.requests;
  const auto add = [&](size_t like) {
    trace.sizes.push_back(trace.sizes[like]);
    trace.requests.push_back(static_cast<uint32_t>(trace.sizes.size() - 1));
  };
  for (size_t i = 0; i < 200; ++i) add(i % 50);
  for (int round = 0; round < 4; ++round) {
    for (uint32_t i = 0; i < 120; ++i) trace.requests.push_back(i);
  }
  trace.requests.insert(trace.requests.end(), mix.begin(), mix.end());
  return trace;
}

class AsPublished : public ::testing::TestWithParam<const char*> {};

TEST_P(AsPublished, EveryRequestHitsOrMissesAsInThePaper) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const bool ignore_sizes = seed % 3 == 0;
    // One in two with sizes over four decades.
    const Trace trace = Mixed(seed, seed % 2 == 0 ? 100 : 4096, seed % 2 == 0 ? 1000000 : 4096);
    for (const double part : {0.005, 0.05, 0.1, 0.3, 1.0}) {
      SimulationOptions options;
      options.policy = Spec(GetParam());
      options.ignore_sizes = ignore_sizes;
      options.capacity =
          static_cast<uint64_t>(part * static_cast<double>(trace.Footprint(ignore_sizes)));
      const std::unique_ptr<Published> published = MakePublished(options.policy, options.capacity);
      Simulation simulation(trace, options);
      uint64_t misses = 0;
      uint64_t missed_bytes = 0;
      for (size_t i = 0; i < trace.requests.size(); ++i) {
        const uint32_t object = trace.requests[i];
        const uint64_t size = ignore_sizes ? 1 : trace.sizes[object];
        const bool hit = published->Request(object, size);
        misses += hit ? 0 : 1;
        missed_bytes += hit ? 0 : size;
        ASSERT_EQ(simulation.Request(object), hit)
            << "request " << i << ", seed " << seed << ", capacity " << options.capacity;
      }
      const SimulationResult whole = Simulation(trace, options).Run();
      EXPECT_EQ(whole.requests, trace.requests.size());
      EXPECT_EQ(whole.misses, misses);
      EXPECT_EQ(whole.missed_bytes, missed_bytes);
      EXPECT_EQ(whole.skips, 0u);
      EXPECT_GT(whole.misses, 0u);
      EXPECT_LT(whole.misses, whole.requests);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, AsPublished,
                         ::testing::Values("lru", "fifo", "sieve", "s3fifo", "s3fifo,promote=1",
                                           "s3fifo,promote=3,small=0.3,ghost=0.2", "s3fifo,ghost=0",
                                           "s3fifo,ghost=3"));

Trace Of(std::vector<uint32_t> requests, std::vector<uint64_t> sizes) {
  Trace trace;
  trace.requests = std::move(requests);
  trace.sizes = std::move(sizes);
  return trace;
}

SimulationOptions Options(const std::string& policy, uint64_t capacity) {
  SimulationOptions options;
  options.policy = Spec(policy);
  options.capacity = capacity;
  return options;
}

TEST(SimulationTest, CountsRequestsAndBytes) {
  const Trace trace = Of({0, 1, 0, 2, 0, 1}, {10, 20, 75});
  const SimulationResult result = Simulation(trace, Options("fifo", 100)).Run();
  EXPECT_EQ(result.requests, 6u);
  EXPECT_EQ(result.requested_bytes, 10u + 20 + 10 + 75 + 10 + 20);
  EXPECT_EQ(result.misses, 5u) << "each of the last three drives out the next that is asked for";
  EXPECT_EQ(result.missed_bytes, 10u + 20 + 75 + 10 + 20);
  EXPECT_EQ(result.evictions, 3u);
  EXPECT_DOUBLE_EQ(result.RequestMissRatio(), 5.0 / 6);
  EXPECT_DOUBLE_EQ(result.ByteMissRatio(), 135.0 / 145);
}

TEST(SimulationTest, ThePolicyChangesWhatIsKept) {
  const Trace trace = Of({0, 1, 0, 2, 0, 1}, {10, 20, 75});
  EXPECT_EQ(Simulation(trace, Options("lru", 100)).Run().misses, 4u);
  EXPECT_EQ(Simulation(trace, Options("lru", 85)).Run().missed_bytes, 10u + 20 + 75 + 20);
}

TEST(SimulationTest, WhatIsLargerThanTheCapacityIsNotKeptAndDrivesNothingOut) {
  const Trace trace = Of({0, 1, 0, 1}, {10, 101});
  const SimulationResult result = Simulation(trace, Options("lru", 100)).Run();
  EXPECT_EQ(result.misses, 3u);
  EXPECT_EQ(result.too_large, 2u);
  EXPECT_EQ(result.evictions, 0u);
}

TEST(SimulationTest, EmptyObjectsTakeNoRoom) {
  const Trace trace = Of({0, 1, 2, 0, 1, 2}, {0, 0, 1});
  const SimulationResult result = Simulation(trace, Options("s3fifo", 1)).Run();
  EXPECT_EQ(result.misses, 3u);
  EXPECT_EQ(result.evictions, 0u);
}

TEST(SimulationTest, ALeasedObjectIsPassedOver) {
  // The first object is leased while the next two requests come: the second one goes in its place.
  const Trace trace = Of({0, 1, 2, 0, 1}, {1, 1, 1});
  SimulationOptions options = Options("fifo", 2);
  EXPECT_EQ(Simulation(trace, options).Run().misses, 5u);
  options.lease_requests = 2;
  Simulation simulation(trace, options);
  EXPECT_FALSE(simulation.Request(0));
  EXPECT_FALSE(simulation.Request(1));
  EXPECT_FALSE(simulation.Request(2)) << "nothing may go";
  EXPECT_EQ(simulation.result().all_pinned, 1u);
  EXPECT_TRUE(simulation.Request(0));
  EXPECT_TRUE(simulation.Request(1));
  EXPECT_FALSE(simulation.Request(2));
  EXPECT_EQ(simulation.result().all_pinned, 2u);
  EXPECT_EQ(simulation.result().evictions, 0u);
  EXPECT_FALSE(simulation.Request(2)) << "0 is over, 1 is not";
  EXPECT_EQ(simulation.result().evictions, 1u);
  EXPECT_TRUE(simulation.Request(1));
}

TEST(SimulationTest, TellsHowMuchIsPinned) {
  const Trace trace = Of({0, 0, 1, 1}, {10, 30});
  SimulationOptions options = Options("lru", 100);
  options.lease_requests = 1;
  // After each request 10, 10, 40 and 30 bytes are leased.
  EXPECT_DOUBLE_EQ(Simulation(trace, options).Run().pinned_share, 90.0 / 4 / 100);
}

TEST(SimulationTest, ParkedVictimsAreMetOnce) {
  const Trace trace = Mixed(1, 4096, 4096);
  for (const char* policy : {"lru", "fifo", "sieve", "s3fifo"}) {
    SimulationOptions options = Options(policy, trace.Footprint(false) / 10);
    options.lease_requests = 15;
    const SimulationResult result = Simulation(trace, options).Run();
    EXPECT_GT(result.pinned_share, 0.1) << policy;
    // To the old end of an LRU queue nothing comes that was requested just now.
    if (options.policy.kind == EvictionKind::kLru) {
      EXPECT_EQ(result.skips, 0u);
    } else {
      EXPECT_GT(result.skips, 0u) << policy;
    }
    EXPECT_LE(result.skips, result.requests) << policy << ": once for each lease at most";
    EXPECT_EQ(result.all_pinned, 0u) << policy;
  }
}

TEST(SyntheticTest, ZipfHasItsShares) {
  ZipfOptions options;
  options.objects = 1000;
  options.requests = 200000;
  for (const double alpha : {0.0, 0.8, 1.0, 1.5}) {
    options.alpha = alpha;
    const Trace trace = MakeZipf(options);
    std::vector<int> counts(trace.sizes.size());
    for (const uint32_t object : trace.requests) ++counts[object];
    std::sort(counts.rbegin(), counts.rend());
    double sum = 0;
    for (int k = 1; k <= 1000; ++k) sum += std::pow(k, -alpha);
    for (const int k : {1, 2, 10, 50}) {
      if (alpha == 0) break;
      EXPECT_NEAR(counts[static_cast<size_t>(k - 1)], 200000 * std::pow(k, -alpha) / sum,
                  6 * std::sqrt(200000 * std::pow(k, -alpha) / sum))
          << "alpha " << alpha << ", rank " << k;
    }
    if (alpha == 0) {
      EXPECT_LT(counts.front(), 300) << "all alike";
    }
  }
}

TEST(SyntheticTest, ASeedIsATrace) {
  ZipfOptions options;
  options.objects = 1000;
  options.requests = 5000;
  options.min_size = 10;
  options.max_size = 100000;
  const Trace one = MakeZipf(options);
  const Trace same = MakeZipf(options);
  options.seed = 2;
  const Trace other = MakeZipf(options);
  EXPECT_EQ(one.requests, same.requests);
  EXPECT_EQ(one.sizes, same.sizes);
  EXPECT_NE(one.requests, other.requests);
  EXPECT_EQ(std::set<uint32_t>(one.requests.begin(), one.requests.end()).size(), one.sizes.size())
      << "every object is requested";
  std::map<int, int> decades;
  for (const uint64_t size : one.sizes) ++decades[static_cast<int>(std::log10(size))];
  EXPECT_EQ(decades.size(), 4u);
  for (const auto& [decade, objects] : decades) {
    EXPECT_GT(objects, static_cast<int>(one.sizes.size() / 6)) << decade;
  }
}

TEST(SyntheticTest, OptionsAreRead) {
  const absl::StatusOr<ZipfOptions> options =
      ParseSynthetic("zipf,objects=10,requests=20,alpha=1.2,seed=3,size=1KiB-1MB");
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->objects, 10u);
  EXPECT_EQ(options->requests, 20u);
  EXPECT_EQ(options->alpha, 1.2);
  EXPECT_EQ(options->seed, 3u);
  EXPECT_EQ(options->min_size, 1024u);
  EXPECT_EQ(options->max_size, 1000000u);
  EXPECT_EQ(ParseSynthetic("zipf,size=7")->max_size, 7u);
  for (const char* bad :
       {"", "uniform", "zipf,objects=0", "zipf,objects=5000000000", "zipf,alpha=-1",
        "zipf,alpha=nan", "zipf,size=0", "zipf,size=2-1", "zipf,colour=red", "zipf,requests"}) {
    EXPECT_THAT(ParseSynthetic(bad).status(), HasKind(ErrorKind::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace packice::cli
