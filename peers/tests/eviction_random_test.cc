// Each policy against its plain model, over random operations.
#include <cctype>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "eviction_model.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_clock.h"

namespace packice {
namespace {

constexpr uint64_t kSequences = 1000;
constexpr int kSteps = 300;
constexpr int kIds = 40;
constexpr uint64_t kMaxBytes = 50;

class EvictionRandomTest : public testing::TestWithParam<std::string> {
 protected:
  void Run(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](uint64_t limit) { return random() % limit; };
    absl::optional<uint64_t> capacity;
    if (below(3) > 0) capacity = 100 + below(400);
    const EvictionSpec spec = *ParseEvictionSpec(GetParam());
    EvictionModel model(spec, capacity);
    FakeClock clock;
    const std::unique_ptr<EvictionPolicy> policy = MakeEvictionPolicy(spec, capacity, clock);
    std::map<std::string, EvictionEntry> entries;
    std::map<std::string, bool> pinned;
    const bool pins = below(4) > 0;
    for (int step = 0; step < kSteps; ++step) {
      const std::string id = absl::StrCat("o", below(kIds));
      SCOPED_TRACE(absl::StrCat("seed ", seed, " step ", step, " ", id));
      const uint64_t what = below(10);
      if (what < 2) {
        Evict(model, *policy, entries);
      } else if (entries.count(id) == 0) {
        EvictionEntry& entry = entries[id];
        entry.id = *ObjectId::Parse(id);
        entry.charged = below(kMaxBytes);
        pinned[id] = false;
        if (what < 6) {
          policy->Expect(entry);
          model.Expect(id);
          Evict(model, *policy, entries);
        }
        policy->Insert(entry);
        model.Insert(id, entry.charged);
      } else if (what < 3) {
        policy->Remove(entries.at(id));
        model.Remove(id);
        entries.erase(id);
      } else if (what < 6 && pins) {
        pinned[id] ? policy->Unpin(entries.at(id)) : policy->Pin(entries.at(id));
        pinned[id] ? model.Unpin(id) : model.Pin(id);
        pinned[id] = !pinned[id];
      } else {
        policy->Hit(entries.at(id));
        model.Hit(id);
      }
      ASSERT_FALSE(HasFatalFailure());
      ASSERT_EQ(policy->skips(), model.skips());
    }
    skips_ += model.skips();
  }

  void Evict(EvictionModel& model, EvictionPolicy& policy,
             std::map<std::string, EvictionEntry>& entries) {
    const absl::optional<Victim> victim = policy.Evict();
    const absl::optional<std::string> expected = model.Evict();
    ASSERT_EQ(victim.has_value(), expected.has_value());
    if (!victim.has_value()) return;
    ASSERT_EQ(victim->object_id.bytes(), *expected);
    policy.Remove(entries.at(*expected));
    entries.erase(*expected);
    ++victims_;
  }

  uint64_t victims_ = 0;
  uint64_t skips_ = 0;
};

TEST_P(EvictionRandomTest, EvictsWhatThePlainModelEvicts) {
  for (uint64_t seed = 0; seed < kSequences && !HasFatalFailure(); ++seed) Run(seed);
  // It has seen something.
  EXPECT_GT(victims_, 10 * kSequences);
  EXPECT_GT(skips_, kSequences);
}

INSTANTIATE_TEST_SUITE_P(Policies, EvictionRandomTest,
                         testing::Values("fifo", "lru", "s3fifo", "s3fifo,promote=1,small=0.3",
                                         "s3fifo,promote=3,ghost=0.2", "sieve", "gdsf"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace packice
