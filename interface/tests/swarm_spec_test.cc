// What flags of a swarm mean together.
#include "cli/swarm_spec.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"

namespace packice::cli {
namespace {

using testing::HasSubstr;

SwarmSpec Complete(const SwarmSpec& spec) {
  const absl::StatusOr<absl::optional<SwarmSpec>> complete = CompleteSwarm(spec);
  EXPECT_THAT(complete, IsOk());
  if (!complete.ok() || !complete->has_value()) return {};
  return **complete;
}

std::string WhyNot(const SwarmSpec& spec) {
  const absl::Status status = CompleteSwarm(spec).status();
  EXPECT_THAT(status, HasKind(ErrorKind::kInvalidArgument));
  return std::string(status.message());
}

TEST(SwarmSpecTest, WithoutItsFlagsANodeIsInNoSwarm) {
  EXPECT_THAT(CompleteSwarm({}), IsOkAndHolds(testing::Eq(absl::nullopt)));
}

TEST(SwarmSpecTest, ADirectoryIsEnough) {
  SwarmSpec tracker;
  tracker.trackers = {"10.0.0.9:7700"};
  EXPECT_EQ(Complete(tracker).listen, "127.0.0.1:0");
  SwarmSpec member;
  member.listen = "[::1]:7701";
  member.join = {"[::1]:7702"};
  EXPECT_EQ(Complete(member).gossip_listen, "[::1]:0");
  SwarmSpec alone;
  alone.listen = "127.0.0.1:7701";
  EXPECT_THAT(WhyNot(alone), HasSubstr("--tracker"));
  SwarmSpec origin;
  origin.origin.address = "http://127.0.0.1:8080";
  EXPECT_THAT(WhyNot(origin), HasSubstr("--p2p-listen"));
}

TEST(SwarmSpecTest, BeyondLoopbackNotEverybodyIsServed) {
  SwarmSpec spec;
  spec.listen = "10.0.0.1:7701";
  spec.trackers = {"10.0.0.9:7700"};
  EXPECT_THAT(WhyNot(spec), HasSubstr("--p2p-insecure"));
  SwarmSpec insecure = spec;
  insecure.insecure = true;
  Complete(insecure);
  SwarmSpec token = spec;
  token.token_file = "token";
  Complete(token);
  SwarmSpec tls = spec;
  tls.tls_cert = tls.tls_key = tls.tls_ca = "file";
  Complete(tls);
  tls.tls_ca.clear();
  EXPECT_THAT(WhyNot(tls), HasSubstr("--p2p-tls-ca"));
  SwarmSpec gossip;
  gossip.listen = "127.0.0.1:7701";
  gossip.gossip_listen = "10.0.0.1:7702";
  EXPECT_THAT(WhyNot(gossip), HasSubstr("10.0.0.1:7702"));
}

TEST(SwarmSpecTest, OthersMustBeAbleToDialIt) {
  SwarmSpec spec;
  spec.listen = "0.0.0.0:7701";
  spec.gossip_listen = "0.0.0.0:7702";
  spec.insecure = true;
  EXPECT_THAT(WhyNot(spec), HasSubstr("--p2p-advertise"));
  spec.advertise = "node1.example:7701";
  EXPECT_EQ(Complete(spec).gossip_advertise, "node1.example:7702");
  spec.gossip_listen = "0.0.0.0:0";
  EXPECT_THAT(WhyNot(spec), HasSubstr("--gossip-advertise"));
}

TEST(SwarmSpecTest, OriginsAreNodesOrWebServers) {
  SwarmSpec spec;
  spec.trackers = {"127.0.0.1:7700"};
  spec.origin.address = "web+https://files.example/base";
  EXPECT_EQ(Complete(spec).origin_kind, "web");
  EXPECT_EQ(Complete(spec).origin.address, "https://files.example/base");
  spec.origin.address = "http://10.0.0.8:8080";
  EXPECT_EQ(Complete(spec).origin_kind, "packice");
  spec.origin.address = "ftp://10.0.0.8";
  EXPECT_THAT(WhyNot(spec), HasSubstr("web+http://"));
  spec.origin = {"", "token", ""};
  EXPECT_THAT(WhyNot(spec), HasSubstr("--origin"));
}

TEST(SwarmSpecTest, AddressesHaveAHostAndAPort) {
  EXPECT_THAT(HostOf("10.0.0.1:0", "--x"), IsOkAndHolds("10.0.0.1"));
  EXPECT_THAT(HostOf("node.example:65535", "--x"), IsOkAndHolds("node.example"));
  EXPECT_THAT(HostOf("[fe80::1]:1", "--x"), IsOkAndHolds("fe80::1"));
  for (const char* bad : {"", "host", ":1", "host:", "host:x", "host:-1", "host:65536", "::1:1",
                          "[::1]", "[host]:1", "[]:1"}) {
    EXPECT_THAT(HostOf(bad, "--x"), HasKind(ErrorKind::kInvalidArgument)) << bad;
  }
  SwarmSpec spec;
  spec.trackers = {"nowhere"};
  EXPECT_THAT(WhyNot(spec), HasSubstr("--tracker nowhere"));
}

}  // namespace
}  // namespace packice::cli
