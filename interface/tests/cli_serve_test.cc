// The node's life: ready, draining, stopped.
#include <signal.h>

#include "gmock/gmock.h"
#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

size_t Lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(ServeTest, SignalsDrainAndEndIt) {
  for (const int number : {SIGTERM, SIGINT}) {
    ServedNode node;
    node.process().Signal(number);
    const Outcome outcome = node.process().Wait();
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(Lines(outcome.out), 1u);
    EXPECT_THAT(outcome.err, ContainsRegex("packice [0-9.]+ starts: .*half of the"));
    EXPECT_THAT(outcome.err, HasSubstr("draining"));
    EXPECT_THAT(outcome.err, HasSubstr("stopped"));
    EXPECT_FALSE(std::filesystem::exists(node.socket()));
  }
}

TEST(ServeTest, RequestsAreNotLogged) {
  ServedNode node;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(node.Run({"put", "-", "--id", std::to_string(i)}, "1").exit_code, 0);
  }
  node.process().Signal(SIGTERM);
  const Outcome outcome = node.process().Wait();
  EXPECT_EQ(Lines(outcome.err), 4u) << outcome.err;
}

TEST(ServeTest, EventsAreLoggedWhenAskedFor) {
  ServedNode node({"-v", "1", "--capacity", "16KiB"});
  EXPECT_EQ(node.Run({"put", "-", "--id", "quoted\n"}, "1").exit_code, 0);
  node.process().Signal(SIGTERM);
  const Outcome outcome = node.process().Wait();
  EXPECT_THAT(outcome.err, HasSubstr("created \"quoted\\n\""));
  EXPECT_THAT(outcome.err, HasSubstr("sealed \"quoted\\n\""));
  EXPECT_THAT(outcome.err, HasSubstr("a mem node of 16.0 KiB\n"));
}

TEST(ServeTest, CapacityEvicts) {
  ServedNode node({"--capacity", "1MiB"});
  const std::string bytes = Pattern(400000);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(node.Run({"put", "-", "--id", id}, bytes).exit_code, 0);
  }
  EXPECT_EQ(node.Run({"ls", "--ids"}).out, "b\nc\n");
  TempDir dir;
  const Outcome large = node.Run({"put", dir.Write("large", Pattern(2 << 20))});
  EXPECT_EQ(large.exit_code, 11);
  EXPECT_THAT(large.err, StartsWith("packice: capacity: "));
}

TEST(ServeTest, SecondNodeOnTheSameSocketIsRefused) {
  ServedNode node;
  const Outcome second = RunPackice({"serve", "--socket", node.socket()});
  EXPECT_EQ(second.exit_code, 5);
  EXPECT_THAT(second.err, HasSubstr("packice: busy: "));
  EXPECT_EQ(node.Run({"stats"}).exit_code, 0);
}

TEST(ServeTest, DrainEndsWaits) {
  ServedNode node;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Client> client, Connect(node.socket()));
  ASSERT_OK_AND_ASSIGN(const Writer writer, client->Create("held"));
  Process waiter({"get", "held", "--wait", "600"}, {"PACKICE_TARGET=" + node.socket()});
  absl::StatusOr<NodeStats> stats = client->Stats();
  while (stats.ok() && stats->peer.waiting == 0) stats = client->Stats();
  node.process().Signal(SIGTERM);
  const Outcome waited = waiter.Wait();
  EXPECT_EQ(waited.exit_code, 12) << waited.err;
  EXPECT_EQ(node.process().Wait().exit_code, 0);
}

TEST(ServeTest, WhatNobodyKnowsIsWrong) {
  EXPECT_EQ(RunPackice({"serve", "--impl", "magic"}).exit_code, 2);
  EXPECT_EQ(RunPackice({"serve", "--capacity", "much"}).exit_code, 2);
  const Outcome eviction = RunPackice({"serve", "--eviction", "clock"});
  EXPECT_EQ(eviction.exit_code, 2);
  EXPECT_THAT(eviction.err, HasSubstr("s3fifo"));
}

TEST(ServeTest, TransportsMayBeNamedTwice) {
  ServedNode node(
      {"--impl", "mem", "--transport", "uds", "--transport", "uds", "--eviction", "lru"});
  EXPECT_EQ(node.Run({"stats"}).exit_code, 0);
}

}  // namespace
}  // namespace packice
