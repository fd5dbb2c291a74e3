// A swarm of real nodes on a network of their own: one has an object, seven want it, and something
// goes wrong. Every reader ends with the right bytes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fleet.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "swarm_object.h"

namespace packice {
namespace {

using testing::Not;

constexpr size_t kReaders = 7;
constexpr size_t kNodes = kReaders + 1;
// How long a reader may take, whatever happens to the others: much longer than it should.
constexpr absl::Duration kPatience = absl::Seconds(90);

using Reading = std::future<absl::StatusOr<ReadObject>>;

class Swarm : public testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure() && fleet_ != nullptr) std::printf("%s", fleet_->Logs().c_str());
  }

  // The tracker, if there is to be one, and no nodes.
  void Make(FleetOptions options = {}) {
    const char* const program = std::getenv("PACKICE_BINARY");
    ASSERT_NE(program, nullptr) << "PACKICE_BINARY names the program";
    options.program = program;
    interval_ = options.interval;
    absl::StatusOr<std::unique_ptr<Fleet>> fleet = Fleet::Make(std::move(options));
    ASSERT_THAT(fleet, IsOk());
    fleet_ = *std::move(fleet);
  }
  void Add(size_t nodes, Fleet::Reached reached = Fleet::Reached::kDirectly) {
    for (size_t i = 0; i < nodes; ++i) ASSERT_THAT(fleet_->AddNode(reached), IsOk());
  }
  void MakeWithNodes(FleetOptions options = {}) {
    ASSERT_NO_FATAL_FAILURE(Make(std::move(options)));
    ASSERT_NO_FATAL_FAILURE(Add(kNodes));
  }

  FleetNode& source() { return fleet_->node(0); }
  FleetNode& node(size_t index) { return fleet_->node(index); }

  void PutAtSource() {
    ASSERT_THAT(PutObject(source().socket(), object_), IsOk());
    digest_ = DigestOf(object_);
  }
  Reading StartReading(size_t index) {
    return std::async(std::launch::async, [socket = node(index).socket(), id = object_.id] {
      return GetObject(socket, id, kPatience);
    });
  }
  // Those from `first` to the one before `last`.
  std::vector<Reading> StartReading(size_t first, size_t last) {
    std::vector<Reading> readings;
    for (size_t i = first; i < last; ++i) readings.push_back(StartReading(i));
    return readings;
  }
  void ExpectRight(Reading& reading) {
    const absl::StatusOr<ReadObject> read = reading.get();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->digest, digest_);
  }
  void ExpectAllRight(std::vector<Reading>& readings) {
    for (Reading& reading : readings) ExpectRight(reading);
  }
  void ExpectRightAt(size_t index) {
    Reading reading = StartReading(index);
    ExpectRight(reading);
  }

  // For what a process has to come to first.
  static bool Eventually(const std::function<bool()>& condition,
                         absl::Duration patience = kPatience) {
    const absl::Time deadline = absl::Now() + patience;
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  // Bytes over the node's cable, as parts of the object.
  double Sent(size_t index) { return PartOf(fleet_->lab().TrafficOf(node(index).host())->sent); }
  double Received(size_t index) {
    return PartOf(fleet_->lab().TrafficOf(node(index).host())->received);
  }
  double PartOf(uint64_t bytes) const {
    return static_cast<double>(bytes) / static_cast<double>(object_.size);
  }

  SwarmObject object_ = {"models/a", uint64_t{64} << 20, 1};
  uint64_t digest_ = 0;
  absl::Duration interval_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(Swarm, SpreadsAnObjectToAll) {
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes());
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  std::vector<Reading> readings = StartReading(1, kNodes);
  ExpectAllRight(readings);
  // Readers have given to one another what the source alone would have had to give seven times.
  EXPECT_LT(Sent(0), 2.0);
  const auto holders = [&] { return fleet_->HoldersByTracker(object_.id); };
  EXPECT_TRUE(Eventually([&] { return holders().ok() && holders()->size() == kNodes; }));
}

TEST_F(Swarm, OutlivesTheSourceOnceItHasGivenACopy) {
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes());
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  constexpr size_t kLate = kNodes - 2;
  std::vector<Reading> early = StartReading(1, kLate);
  const auto is_done = [](const Reading& reading) {
    return reading.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  ASSERT_TRUE(Eventually([&] { return std::any_of(early.begin(), early.end(), is_done); }));
  source().Kill();
  std::vector<Reading> late = StartReading(kLate, kNodes);
  ExpectAllRight(early);
  ExpectAllRight(late);
}

TEST_F(Swarm, ReadersThatAreKilledAndStartedAgainEndWell) {
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes());
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  constexpr size_t kKilled = 3;  // nodes 1 and 2, a third of the readers
  std::vector<Reading> doomed = StartReading(1, kKilled);
  std::vector<Reading> others = StartReading(kKilled, kNodes);
  for (size_t i = 1; i < kKilled; ++i) {
    ASSERT_TRUE(Eventually([&] { return Received(i) > 0.3; }));
    node(i).Kill();
  }
  for (Reading& reading : doomed) EXPECT_THAT(reading.get().status(), Not(IsOk()));
  for (size_t i = 1; i < kKilled; ++i) ASSERT_THAT(node(i).Start(), IsOk());
  std::vector<Reading> again = StartReading(1, kKilled);
  ExpectAllRight(others);
  ExpectAllRight(again);
}

TEST_F(Swarm, BothHalvesOfASplitNetworkEndWellOnceItHeals) {
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes());
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  constexpr size_t kApart = 4;
  std::vector<Reading> near = StartReading(1, kApart);
  std::vector<Reading> apart = StartReading(kApart, kNodes);
  std::vector<NetworkLab::Host> hosts;
  for (size_t i = kApart; i < kNodes; ++i) hosts.push_back(node(i).host());
  ASSERT_TRUE(Eventually([&] { return Received(kApart) > 0.2; }));
  ASSERT_THAT(fleet_->lab().Split(hosts), IsOk());
  ExpectAllRight(near);
  ASSERT_THAT(fleet_->lab().Heal(), IsOk());
  ExpectAllRight(apart);
}

TEST_F(Swarm, ANodeWhoseBytesAreDamagedIsBanned) {
  ASSERT_NO_FATAL_FAILURE(Make());
  ASSERT_NO_FATAL_FAILURE(Add(1));
  ASSERT_NO_FATAL_FAILURE(Add(1, Fleet::Reached::kThroughProxy));
  ASSERT_NO_FATAL_FAILURE(Add(kNodes - 2));
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  ExpectRightAt(1);
  node(1).proxy()->Set({.flip_every = 200'000});
  std::vector<Reading> readings = StartReading(2, kNodes);
  ExpectAllRight(readings);
  EXPECT_GT(node(1).proxy()->counts().flips, 0u);
  uint64_t corrupt = 0;
  uint64_t banned = 0;
  for (size_t i = 2; i < kNodes; ++i) {
    ASSERT_OK_AND_ASSIGN(const uint64_t pieces, node(i).Figure("corrupt_pieces"));
    ASSERT_OK_AND_ASSIGN(const uint64_t bans, node(i).Figure("holders_banned"));
    corrupt += pieces;
    banned += bans;
  }
  EXPECT_GT(corrupt, 0u);
  EXPECT_GT(banned, 0u);
  // Not the one who was served with them.
  EXPECT_THAT(node(1).Figure("corrupt_pieces"), IsOkAndHolds(0u));
}

TEST_F(Swarm, ATrackerThatComesBackKnowsAllWithinAnInterval) {
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes());
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  constexpr size_t kLate = kNodes - 1;
  std::vector<Reading> readings = StartReading(1, kLate);
  ASSERT_TRUE(Eventually([&] { return Received(1) > 0.2; }));
  fleet_->KillTracker();
  ExpectAllRight(readings);
  ASSERT_THAT(fleet_->StartTracker(), IsOk());
  const absl::Time started = absl::Now();
  size_t known = 0;
  EXPECT_TRUE(Eventually([&] {
    const auto holders = fleet_->HoldersByTracker(object_.id);
    known = holders.ok() ? holders->size() : 0;
    return known == kLate;
  })) << known;
  // One to notice, and one to tell.
  EXPECT_LE(absl::Now() - started, interval_ + absl::Seconds(1));
  ExpectRightAt(kLate);
}

TEST_F(Swarm, GossipAloneFindsHolders) {
  FleetOptions options;
  options.tracker = false;
  options.gossip = true;
  ASSERT_NO_FATAL_FAILURE(MakeWithNodes(options));
  for (size_t i = 0; i < kNodes; ++i) {
    ASSERT_TRUE(Eventually([&] {
      const absl::StatusOr<uint64_t> members = node(i).Figure("members");
      return members.ok() && *members == kNodes;
    })) << i;
  }
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  std::vector<Reading> readings = StartReading(1, kNodes);
  ExpectAllRight(readings);
  EXPECT_LT(Sent(0), 3.0);
}

TEST_F(Swarm, AHolderThatFallsSilentIsLeftForOthers) {
  ASSERT_NO_FATAL_FAILURE(Make());
  ASSERT_NO_FATAL_FAILURE(Add(1));
  ASSERT_NO_FATAL_FAILURE(Add(1, Fleet::Reached::kThroughProxy));
  ASSERT_NO_FATAL_FAILURE(Add(kNodes - 2));
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  ExpectRightAt(1);
  const Faults far = {.delay = absl::Milliseconds(40)};
  node(1).proxy()->Set(far);
  const uint64_t before = node(1).proxy()->counts().bytes;
  std::vector<Reading> readings = StartReading(2, kNodes);
  ASSERT_TRUE(
      Eventually([&] { return node(1).proxy()->counts().bytes > before + object_.size / 8; }));
  Faults silent = far;
  silent.silent = true;
  node(1).proxy()->Set(silent);
  ExpectAllRight(readings);
}

TEST_F(Swarm, ALossyLinkIsOnlySlow) {
  ASSERT_NO_FATAL_FAILURE(Make());
  ASSERT_NO_FATAL_FAILURE(Add(1, Fleet::Reached::kThroughProxy));
  source().proxy()->Set(
      {.delay = absl::Milliseconds(10), .stall_every = 4 << 20, .reset_every = 12 << 20});
  ASSERT_NO_FATAL_FAILURE(Add(3));
  ASSERT_NO_FATAL_FAILURE(PutAtSource());
  std::vector<Reading> readings = StartReading(1, 4);
  ExpectAllRight(readings);
  EXPECT_GT(source().proxy()->counts().stalls, 0u);
  EXPECT_GT(source().proxy()->counts().cuts, 0u);
}

}  // namespace
}  // namespace packice
