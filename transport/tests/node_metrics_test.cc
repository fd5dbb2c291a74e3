#include "packice/transport/node_metrics.h"

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_clock.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(NodeMetrics, WorkIsCountedByResultAndTimed) {
  FakeClock clock;
  NodeMetrics metrics(clock);
  const Instant started = metrics.Now();
  clock.Advance(absl::Microseconds(3));
  metrics.Count(NodeMetrics::Of(Op::kAcquire), started, absl::OkStatus());
  metrics.Count(NodeMetrics::Of(Op::kAcquire), started, MakeError(ErrorKind::kBusy, "x"));
  clock.Advance(absl::Seconds(100));
  metrics.Count(NodeMetrics::Work::kPutObject, started, absl::OkStatus());
  const std::string text = metrics.Text(PeerStats());
  for (const char* line : {
           "packice_operations_total{op=\"acquire\",result=\"ok\"} 1\n",
           "packice_operations_total{op=\"acquire\",result=\"busy\"} 1\n",
           "packice_operations_total{op=\"put_object\",result=\"ok\"} 1\n",
           "packice_operation_seconds_bucket{op=\"acquire\",le=\"2e-06\"} 0\n",
           "packice_operation_seconds_bucket{op=\"acquire\",le=\"4e-06\"} 2\n",
           "packice_operation_seconds_sum{op=\"acquire\"} 6e-06\n",
           "packice_operation_seconds_bucket{op=\"put_object\",le=\"33.554432\"} 0\n",
           "packice_operation_seconds_bucket{op=\"put_object\",le=\"+Inf\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("op=\"seal\"")));
}

TEST(NodeMetrics, TransportsAreCountedApartAndSummedUp) {
  FakeClock clock;
  NodeMetrics metrics(clock);
  metrics.Opened(Transport::kUds);
  metrics.Opened(Transport::kUds);
  metrics.Closed(Transport::kUds);
  metrics.Opened(Transport::kHttp);
  metrics.Refused(Transport::kHttp);
  metrics.CountSent(Transport::kHttp, 7);
  metrics.CountReceived(Transport::kUds, 8);
  clock.Advance(absl::Seconds(5));
  PeerStats peer;
  peer.objects = 3;
  peer.quarantined = 4;
  peer.capacity = 9;
  const StatsReply stats = metrics.Stats(peer);
  EXPECT_EQ(stats.connections, 2u);
  EXPECT_EQ(stats.refused, 1u);
  EXPECT_EQ(stats.peer.objects, 3u);
  EXPECT_EQ(stats.uptime, absl::Seconds(5));
  EXPECT_GT(stats.descriptors, 2u);
  const std::string text = metrics.Text(peer);
  for (const char* line :
       {"packice_connections{transport=\"uds\"} 1\n",
        "packice_connections_total{transport=\"uds\"} 2\n",
        "packice_connections_refused_total{transport=\"http\"} 1\n",
        "packice_sent_bytes_total{transport=\"http\"} 7\n",
        "packice_received_bytes_total{transport=\"uds\"} 8\n", "packice_quarantined_total 4\n",
        "packice_capacity_bytes 9\n", "packice_uptime_seconds 5\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(NodeMetrics, TiersAreToldApart) {
  PeerStats peer;
  peer.coldest_age = absl::Seconds(3);
  TierStats& hot = peer.tiers.emplace_back();
  hot.name = "hot";
  hot.hits = 1;
  hot.capacity = 5;
  hot.queued_bytes = 6;
  TierStats& cold = peer.tiers.emplace_back();
  cold.name = "cold/hot";
  cold.state = TierState::kFull;
  cold.coldest_age = absl::Milliseconds(1500);
  const std::string text = NodeMetrics().Text(peer);
  for (const char* line :
       {"packice_coldest_age_seconds 3\n", "packice_tier_hits_total{tier=\"hot\"} 1\n",
        "packice_tier_capacity_bytes{tier=\"hot\"} 5\n",
        "packice_tier_queued_bytes{tier=\"hot\"} 6\n",
        "packice_tier_queued_bytes{tier=\"cold/hot\"} 0\n",
        "packice_tier_coldest_age_seconds{tier=\"cold/hot\"} 1.5\n",
        "packice_tier_state{tier=\"hot\",state=\"ok\"} 1\n",
        "packice_tier_state{tier=\"cold/hot\",state=\"ok\"} 0\n",
        "packice_tier_state{tier=\"cold/hot\",state=\"full\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("packice_tier_capacity_bytes{tier=\"cold/hot\"}")));
  EXPECT_THAT(NodeMetrics().Text(PeerStats()), Not(HasSubstr("tier")));
}

TEST(NodeMetrics, ThreadsLoseNothing) {
  NodeMetrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        metrics.Count(NodeMetrics::Of(Op::kStat), metrics.Now(), absl::OkStatus());
      }
    });
  }
  metrics.Text(PeerStats());
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Text(PeerStats()),
              HasSubstr("packice_operations_total{op=\"stat\",result=\"ok\"} 12000\n"));
}

}  // namespace
}  // namespace packice
