// Two tiers of tiny capacity among random operations, time, faults and crashes: what was promised
// is kept (tiered_model.h).
//
// A seed that fails prints what was done. PACKICE_MODEL_SEED=<seed> runs that one alone.
#include "tiered_model.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PACKICE_SANITIZED
#endif
#endif

namespace packice {
namespace {

#ifdef PACKICE_SANITIZED
constexpr uint64_t kSeeds = 10;
#else
constexpr uint64_t kSeeds = 100;
#endif
constexpr int kSteps = 600;

// Which seed it is that hangs.
volatile uint64_t current_seed = 0;
void TellSeed(int) {
  char text[] = "it hangs: PACKICE_MODEL_SEED=00000000\n";
  uint64_t seed = current_seed;
  for (char* digit = text + sizeof(text) - 3; seed > 0; seed /= 10) {
    *digit-- = static_cast<char>('0' + seed % 10);
  }
  if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) abort();
  abort();
}

void Walk(TieredModel::Kind kind, std::initializer_list<const char*> expected) {
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (const char* seed = std::getenv("PACKICE_MODEL_SEED")) {
    ASSERT_TRUE(absl::SimpleAtoi(seed, &first));
    last = first;
  } else if (const char* seeds = std::getenv("PACKICE_MODEL_SEEDS")) {
    ASSERT_TRUE(absl::SimpleAtoi(seeds, &last));
  }
  signal(SIGALRM, TellSeed);
  std::map<std::string, int> counts;
  for (uint64_t seed = first; seed <= last; ++seed) {
    current_seed = seed;
    alarm(20);
    TieredModel model(seed, kind);
    const std::string wrong = model.Run(kSteps);
    ASSERT_EQ(wrong, "") << "PACKICE_MODEL_SEED=" << seed << "\n  " << model.log();
    for (const auto& [what, count] : model.counts()) counts[what] += count;
  }
  alarm(0);
  if (first == last) return;
  // The walks went everywhere.
  for (const char* what : expected) EXPECT_GT(counts[what], 0) << what;
  for (const char* what :
       {"create ok", "create already_exists", "create capacity", "read ok", "read not_found",
        "write ok", "seal ok", "discard ok", "relocate ok", "demoted", "promoted"}) {
    EXPECT_GT(counts[what], 0) << what;
  }
}

TieredModel::Kind Of(WritePolicy policy, bool durable_hot, FaultyPeer::Blobs cold) {
  TieredModel::Kind kind;
  kind.policy = policy;
  kind.durable_hot = durable_hot;
  kind.cold = cold;
  return kind;
}

constexpr auto kLocal = FaultyPeer::Blobs::kLocal;
constexpr auto kRemote = FaultyPeer::Blobs::kRemote;

TEST(TieredModelTest, NothingIsLostWithoutFaults) {
  TieredModel::Kind kind = Of(WritePolicy::kBack, false, kLocal);
  kind.faults = kind.crashes = false;
  Walk(kind, {});
}

TEST(TieredModelTest, CrashesTakeOnlyWhatIsDirty) {
  TieredModel::Kind kind = Of(WritePolicy::kBack, false, kLocal);
  kind.faults = false;
  Walk(kind, {"crash"});
}

TEST(TieredModelTest, FaultsTakeNothing) {
  TieredModel::Kind kind = Of(WritePolicy::kBack, false, kRemote);
  kind.crashes = false;
  Walk(kind, {"down", "fail", "lose", "tier_degraded", "tier_recovered"});
}

TEST(TieredModelTest, BackKeepsWhatIsDemoted) {
  Walk(Of(WritePolicy::kBack, false, kRemote), {"crash", "down", "fail", "lose"});
}

TEST(TieredModelTest, ThroughKeepsAllThatIsAcknowledged) {
  Walk(Of(WritePolicy::kThrough, false, kRemote), {"crash", "down", "fail", "lose"});
}

TEST(TieredModelTest, ADurableHotTierKeepsAllThatIsAcknowledged) {
  Walk(Of(WritePolicy::kBack, true, kLocal), {"crash", "down", "fail", "lose"});
}

}  // namespace
}  // namespace packice
