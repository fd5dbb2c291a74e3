#include "packice/transport/node_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <sstream>
#include <utility>
#include <vector>

#include "open_descriptors.h"

namespace packice {
namespace {

constexpr size_t kWorks = NodeMetrics::kWorks;
constexpr size_t kResults = static_cast<size_t>(ErrorKind::kTimeout) + 2;  // "ok" and every kind
// Latencies of less than 1, 2, 4 ... 2^25 microseconds (33 s), and longer ones.
constexpr size_t kBuckets = 27;
// Threads that count side by side, each in its own place.
constexpr size_t kShards = 8;
constexpr size_t kTransports = 2;

using Counter = std::atomic<uint64_t>;

void Add(Counter& counter, uint64_t n) { counter.fetch_add(n, std::memory_order_relaxed); }
uint64_t Read(const Counter& counter) { return counter.load(std::memory_order_relaxed); }

struct alignas(128) Shard {
  std::array<std::array<Counter, kResults>, kWorks> results{};
  std::array<std::array<Counter, kBuckets>, kWorks> latencies{};
  std::array<Counter, kWorks> nanoseconds{};
  std::array<Counter, kTransports> received{};
  std::array<Counter, kTransports> sent{};
};

size_t ThisShard() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t shard = threads.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

size_t BucketOf(uint64_t nanoseconds) {
  const uint64_t microseconds = nanoseconds / 1000;
  const size_t bits =
      microseconds == 0 ? 0 : 64 - static_cast<size_t>(__builtin_clzll(microseconds));
  return std::min(bits, kBuckets - 1);
}

absl::string_view WorkName(size_t work) {
  static constexpr absl::string_view kHttpNames[] = {
      "get_object", "put_object", "delete_object", "read_blob", "write_blob", "sums",
  };
  constexpr size_t kOps = static_cast<size_t>(Op::kExtension) + 1;
  static_assert(kOps + std::size(kHttpNames) == kWorks);
  return work < kOps ? OpName(static_cast<Op>(work)) : kHttpNames[work - kOps];
}

absl::string_view TransportName(size_t transport) { return transport == 0 ? "uds" : "http"; }

// --- Prometheus' form.

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric::Label Label(const char* name, absl::string_view value) {
  ClientMetric::Label label;
  label.name = name;
  label.value = std::string(value);
  return label;
}

class Families {
 public:
  MetricFamily& Begin(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family;
  }
  void One(const char* name, const char* help, MetricType type, double value) {
    Sample(Begin(name, help, type), {}, value);
  }
  static void Sample(MetricFamily& family, Labels labels, double value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    metric.counter.value = value;
    metric.gauge.value = value;
  }
  std::string Text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

constexpr char kColdestAge[] = "How long ago what would be evicted next was last used.";

struct TierRow {
  const char* name;
  const char* help;
  MetricType type;
  uint64_t TierStats::*value;
};

constexpr TierRow kTierRows[] = {
    {"packice_tier_objects", "Objects in the tier.", MetricType::Gauge, &TierStats::objects},
    {"packice_tier_bytes", "Bytes in the tier.", MetricType::Gauge, &TierStats::bytes},
    {"packice_tier_hits_total", "Reads that the tier or a colder one could serve.",
     MetricType::Counter, &TierStats::hits},
    {"packice_tier_hit_bytes_total", "Bytes of the objects that were hit.", MetricType::Counter,
     &TierStats::hit_bytes},
    {"packice_tier_misses_total", "Reads that the tier had nothing for.", MetricType::Counter,
     &TierStats::misses},
    {"packice_tier_missed_bytes_total", "Bytes of the objects that were found colder.",
     MetricType::Counter, &TierStats::missed_bytes},
    {"packice_tier_evictions_total", "Objects evicted to make room.", MetricType::Counter,
     &TierStats::evictions},
    {"packice_tier_demotions_total", "Objects copied to the colder tier.", MetricType::Counter,
     &TierStats::demotions},
    {"packice_tier_demoted_bytes_total", "Bytes copied to the colder tier.", MetricType::Counter,
     &TierStats::demoted_bytes},
    {"packice_tier_promotions_total", "Objects copied from the colder tier.", MetricType::Counter,
     &TierStats::promotions},
    {"packice_tier_promoted_bytes_total", "Bytes copied from the colder tier.", MetricType::Counter,
     &TierStats::promoted_bytes},
    {"packice_tier_queued", "Objects that the colder tier does not have yet.", MetricType::Gauge,
     &TierStats::queued},
    {"packice_tier_queued_bytes", "Bytes that the colder tier does not have yet.",
     MetricType::Gauge, &TierStats::queued_bytes},
    {"packice_tier_moving", "Objects on their way to or from the colder tier.", MetricType::Gauge,
     &TierStats::moving},
    {"packice_tier_discards_due", "Discards that the tier is told of when it is back.",
     MetricType::Gauge, &TierStats::discards_due},
};

void AppendTiers(const std::vector<TierStats>& tiers, Families& families) {
  if (tiers.empty()) return;
  for (const TierRow& row : kTierRows) {
    MetricFamily& family = families.Begin(row.name, row.help, row.type);
    for (const TierStats& tier : tiers) {
      Families::Sample(family, {Label("tier", tier.name)}, static_cast<double>(tier.*row.value));
    }
  }
  MetricFamily& capacity =
      families.Begin("packice_tier_capacity_bytes", "The limit of bytes.", MetricType::Gauge);
  for (const TierStats& tier : tiers) {
    if (!tier.capacity) continue;
    Families::Sample(capacity, {Label("tier", tier.name)}, static_cast<double>(*tier.capacity));
  }
  MetricFamily& age =
      families.Begin("packice_tier_coldest_age_seconds", kColdestAge, MetricType::Gauge);
  for (const TierStats& tier : tiers) {
    if (!tier.coldest_age) continue;
    Families::Sample(age, {Label("tier", tier.name)}, absl::ToDoubleSeconds(*tier.coldest_age));
  }
  MetricFamily& state = families.Begin("packice_tier_state", "1 for the state that the tier is in.",
                                       MetricType::Gauge);
  for (const TierStats& tier : tiers) {
    for (const TierState each : {TierState::kOk, TierState::kSlow, TierState::kFull,
                                 TierState::kFailing, TierState::kDown}) {
      Families::Sample(state, {Label("tier", tier.name), Label("state", TierStateName(each))},
                       tier.state == each ? 1 : 0);
    }
  }
}

void AppendPeer(const PeerStats& peer, Families& families) {
  const struct {
    const char* name;
    const char* help;
    MetricType type;
    uint64_t value;
  } kRows[] = {
      {"packice_objects", "Objects, sealed and being created.", MetricType::Gauge, peer.objects},
      {"packice_objects_creating", "Objects being created.", MetricType::Gauge, peer.creating},
      {"packice_bytes", "Bytes of all objects.", MetricType::Gauge, peer.bytes},
      {"packice_waiting", "Acquires that wait.", MetricType::Gauge, peer.waiting},
      {"packice_hits_total", "Read acquires of a sealed object.", MetricType::Counter, peer.hits},
      {"packice_hit_bytes_total", "Bytes of the objects that were hit.", MetricType::Counter,
       peer.hit_bytes},
      {"packice_misses_total", "Read acquires of an object that is not there.", MetricType::Counter,
       peer.misses},
      {"packice_evictions_total", "Objects evicted to make room.", MetricType::Counter,
       peer.evictions},
      {"packice_expired_objects_total", "Objects whose time was over.", MetricType::Counter,
       peer.expired_objects},
      {"packice_expired_leases_total", "Leases whose time was over.", MetricType::Counter,
       peer.expired_leases},
      {"packice_quarantined_total", "Objects found damaged.", MetricType::Counter,
       peer.quarantined},
  };
  for (const auto& row : kRows) {
    families.One(row.name, row.help, row.type, static_cast<double>(row.value));
  }
  if (peer.capacity) {
    families.One("packice_capacity_bytes", "The limit of bytes.", MetricType::Gauge,
                 static_cast<double>(*peer.capacity));
  }
  MetricFamily& leases =
      families.Begin("packice_leases", "Live leases by what they allow.", MetricType::Gauge);
  Families::Sample(leases, {Label("access", "read")}, static_cast<double>(peer.read_leases));
  Families::Sample(leases, {Label("access", "create")}, static_cast<double>(peer.create_leases));
  Families::Sample(leases, {Label("access", "write")}, static_cast<double>(peer.write_leases));
  if (peer.coldest_age) {
    families.One("packice_coldest_age_seconds", kColdestAge, MetricType::Gauge,
                 absl::ToDoubleSeconds(*peer.coldest_age));
  }
  AppendTiers(peer.tiers, families);
}

}  // namespace

struct NodeMetrics::State {
  std::array<Shard, kShards> shards;
  std::array<Counter, kTransports> open{};
  std::array<Counter, kTransports> opened{};
  std::array<Counter, kTransports> refused{};
  Instant started;

  template <typename Pick>
  uint64_t Sum(Pick pick) const {
    uint64_t sum = 0;
    for (const Shard& shard : shards) sum += Read(pick(shard));
    return sum;
  }

  void AppendWork(Families& families) const;
  void AppendTraffic(Families& families) const;
};

void NodeMetrics::State::AppendWork(Families& families) const {
  MetricFamily& operations = families.Begin(
      "packice_operations_total", "Requests by operation and result.", MetricType::Counter);
  for (size_t work = 0; work < kWorks; ++work) {
    for (size_t result = 0; result < kResults; ++result) {
      const uint64_t n = Sum([&](const Shard& s) -> auto& { return s.results[work][result]; });
      if (n == 0) continue;
      const absl::string_view name =
          result == 0 ? "ok" : InfoOf(static_cast<ErrorKind>(result - 1)).name;
      Families::Sample(operations, {Label("op", WorkName(work)), Label("result", name)},
                       static_cast<double>(n));
    }
  }
  MetricFamily& latencies =
      families.Begin("packice_operation_seconds", "From a request to its answer, by operation.",
                     MetricType::Histogram);
  for (size_t work = 0; work < kWorks; ++work) {
    prometheus::ClientMetric metric;
    uint64_t count = 0;
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      count += Sum([&](const Shard& s) -> auto& { return s.latencies[work][bucket]; });
      if (bucket == kBuckets - 1) break;  // is "+Inf", which the serializer adds
      metric.histogram.bucket.push_back({count, 1e-6 * static_cast<double>(uint64_t{1} << bucket)});
    }
    if (count == 0) continue;
    metric.label = {Label("op", WorkName(work))};
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum =
        1e-9 *
        static_cast<double>(Sum([&](const Shard& s) -> auto& { return s.nanoseconds[work]; }));
    latencies.metric.push_back(std::move(metric));
  }
}

void NodeMetrics::State::AppendTraffic(Families& families) const {
  using Row = std::array<Counter, kTransports>;
  const auto add = [&](const char* name, const char* help, MetricType type, const Row& row) {
    MetricFamily& family = families.Begin(name, help, type);
    for (size_t t = 0; t < kTransports; ++t) {
      Families::Sample(family, {Label("transport", TransportName(t))},
                       static_cast<double>(Read(row[t])));
    }
  };
  add("packice_connections", "Connections open now.", MetricType::Gauge, open);
  add("packice_connections_total", "Connections taken.", MetricType::Counter, opened);
  add("packice_connections_refused_total", "Connections refused for a limit or a foreign user.",
      MetricType::Counter, refused);
  Row received{}, sent{};
  for (size_t t = 0; t < kTransports; ++t) {
    Add(received[t], Sum([&](const Shard& s) -> auto& { return s.received[t]; }));
    Add(sent[t], Sum([&](const Shard& s) -> auto& { return s.sent[t]; }));
  }
  add("packice_received_bytes_total", "Bytes from clients.", MetricType::Counter, received);
  add("packice_sent_bytes_total",
      "Bytes to clients. What they read through descriptors and paths does not pass by.",
      MetricType::Counter, sent);
}

NodeMetrics::NodeMetrics(const Clock& clock) : clock_(clock), state_(std::make_unique<State>()) {
  state_->started = clock_.Now();
}
NodeMetrics::~NodeMetrics() = default;

void NodeMetrics::Count(Work work, Instant started, const absl::Status& result) {
  const size_t at = static_cast<size_t>(work);
  const size_t kind = result.ok() ? 0 : static_cast<size_t>(KindOf(result)) + 1;
  const uint64_t nanoseconds =
      static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(clock_.Now() - started), 0));
  Shard& shard = state_->shards[ThisShard()];
  Add(shard.results[at][kind], 1);
  Add(shard.latencies[at][BucketOf(nanoseconds)], 1);
  Add(shard.nanoseconds[at], nanoseconds);
}

void NodeMetrics::CountReceived(Transport transport, uint64_t bytes) {
  Add(state_->shards[ThisShard()].received[static_cast<size_t>(transport)], bytes);
}
void NodeMetrics::CountSent(Transport transport, uint64_t bytes) {
  Add(state_->shards[ThisShard()].sent[static_cast<size_t>(transport)], bytes);
}

void NodeMetrics::Opened(Transport transport) {
  Add(state_->open[static_cast<size_t>(transport)], 1);
  Add(state_->opened[static_cast<size_t>(transport)], 1);
}
void NodeMetrics::Closed(Transport transport) {
  state_->open[static_cast<size_t>(transport)].fetch_sub(1, std::memory_order_relaxed);
}
void NodeMetrics::Refused(Transport transport) {
  Add(state_->refused[static_cast<size_t>(transport)], 1);
}

StatsReply NodeMetrics::Stats(const PeerStats& peer) const {
  StatsReply reply;
  reply.peer = peer;
  for (size_t t = 0; t < kTransports; ++t) {
    reply.connections += Read(state_->open[t]);
    reply.refused += Read(state_->refused[t]);
  }
  reply.descriptors = OpenDescriptors();
  reply.uptime = clock_.Now() - state_->started;
  return reply;
}

std::string NodeMetrics::Text(const PeerStats& peer) const {
  Families families;
  AppendPeer(peer, families);
  state_->AppendWork(families);
  state_->AppendTraffic(families);
  const StatsReply node = Stats(peer);
  families.One("packice_uptime_seconds", "Since the start.", MetricType::Gauge,
               absl::ToDoubleSeconds(node.uptime));
  families.One("process_open_fds", "Descriptors open in the node's process.", MetricType::Gauge,
               static_cast<double>(node.descriptors));
  return families.Text();
}

}  // namespace packice
