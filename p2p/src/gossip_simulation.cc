#include "packice/p2p/gossip_simulation.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <queue>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "membership.h"

namespace packice {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr absl::Duration kAfterPartition = absl::Minutes(1);
constexpr size_t kRememberedSeeds = 16;
// Wall time in milliseconds when it all begins.
constexpr uint64_t kEpoch = 1'700'000'000'000;

class Simulation {
 public:
  explicit Simulation(const GossipSimulationOptions& options);
  GossipSimulationReport Run();

 private:
  // One node, and its connection to the others.
  struct Node final : MembershipNetwork, MembershipObserver {
    Node(Simulation& owner, size_t place) : simulation(owner), number(place) {}

    void Send(const std::string& to, MembershipMessage message) override {
      simulation.Send(*this, to, std::move(message));
    }
    void OnMember(MemberChange change, const StatementRef& member) override {
      simulation.OnMember(change, *member);
    }
    void OnBroadcast(absl::string_view) override {}

    Simulation& simulation;
    const size_t number;
    std::string address;
    std::unique_ptr<Membership> membership;  // null while it does not run
    std::vector<std::string> seeds;
    uint64_t life = 0;  // its incarnation at its start
    bool leaving = false;
    Instant stalled_until = absl::ZeroDuration();
    Instant next_tick = absl::InfiniteDuration();  // of the event that is scheduled
  };

  enum class What : uint8_t { kTick, kDeliver, kCrash, kRestart, kLeave, kStall, kNews };
  struct Happening {
    Instant at;
    uint64_t order = 0;  // among those of the same instant
    What what = What::kTick;
    uint32_t node = 0;
    uint32_t from = 0;   // kDeliver
    uint64_t index = 0;  // of the message, or of the crash or stall in the options
    bool operator<(const Happening& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };

  void Begin();
  void Start(Node& node, bool join);
  void Schedule(Instant at, What what, size_t node, uint64_t index = 0, size_t from = 0);
  void ScheduleTick(Node& node);
  void Handle(const Happening& happening);
  void Deliver(const Happening& happening);
  void StopNode(Node& node);
  void Send(Node& from, const std::string& to, MembershipMessage message);
  void OnMember(MemberChange change, const MemberStatement& member);
  void NoteWhoKnows(GossipSimulationReport::Detection& detection);
  bool Separated(size_t a, size_t b) const;
  bool PartitionLately() const;
  double PeriodsSince(absl::Duration at) const {
    return absl::FDivDuration(now_ - at, options_.probe_interval);
  }
  void Judge();

  const GossipSimulationOptions& options_;
  GossipSimulationReport report_;
  SplitMix random_;
  Instant now_ = absl::ZeroDuration();
  std::vector<std::unique_ptr<Node>> nodes_;
  absl::flat_hash_map<std::string, size_t> by_address_;
  std::vector<StatementRef> first_statements_;
  std::priority_queue<Happening> happenings_;
  uint64_t order_ = 0;
  std::vector<MembershipMessage> messages_;  // under way
  std::vector<uint64_t> free_messages_;
  absl::flat_hash_map<size_t, size_t> detection_of_;  // node to its place in the report
  std::vector<size_t> deaths_seen_;                   // of each node's crash
  std::vector<Instant> crashed_at_;
};

Simulation::Simulation(const GossipSimulationOptions& options)
    : options_(options),
      random_(MixBits(options.seed)),
      deaths_seen_(options.nodes),
      crashed_at_(options.nodes, absl::InfiniteDuration()) {}

GossipSimulationReport Simulation::Run() {
  Begin();
  while (!happenings_.empty() && happenings_.top().at <= options_.duration) {
    const Happening next = happenings_.top();
    happenings_.pop();
    now_ = next.at;
    Handle(next);
  }
  now_ = options_.duration;
  Judge();
  return std::move(report_);
}

void Simulation::Begin() {
  for (size_t i = 0; i < options_.nodes; ++i) {
    auto node = std::make_unique<Node>(*this, i);
    node->address = absl::StrCat("10.", i >> 16, ".", (i >> 8) & 255, ".", i & 255, ":7711");
    by_address_[node->address] = i;
    nodes_.push_back(std::move(node));
  }
  for (const auto& node : nodes_) {
    for (size_t i = 0; i < std::min<size_t>(3, options_.nodes); ++i) {
      node->seeds.push_back(nodes_[i]->address);
    }
    Start(*node, false);
    if (options_.joined) first_statements_.push_back(node->membership->self());
  }
  if (options_.joined) {
    for (const auto& node : nodes_) node->membership->Assume(first_statements_);
  } else {
    for (const auto& node : nodes_) node->membership->Join(now_, node->seeds);
  }
  for (const auto& node : nodes_) {
    ScheduleTick(*node);
    if (options_.news_interval < absl::InfiniteDuration()) {
      Schedule(random_.Unit() * options_.news_interval, What::kNews, node->number);
    }
  }
  for (size_t i = 0; i < options_.crashes.size(); ++i) {
    Schedule(options_.crashes[i].at, What::kCrash, options_.crashes[i].node, i);
  }
  for (const auto& leave : options_.leaves) Schedule(leave.at, What::kLeave, leave.node);
  for (size_t i = 0; i < options_.stalls.size(); ++i) {
    Schedule(options_.stalls[i].at, What::kStall, options_.stalls[i].node, i);
  }
}

void Simulation::Start(Node& node, bool join) {
  MembershipOptions options;
  options.address = node.address;
  options.metadata.transfer_address = node.address;
  options.metadata.zone = absl::StrCat("zone-", node.number % 3);
  options.metadata.role = "node";
  node.life = kEpoch + static_cast<uint64_t>(absl::ToInt64Milliseconds(now_));
  options.incarnation = node.life;
  options.seed = random_.Next();
  options.probe.interval = options_.probe_interval;
  options.probe.timeout = options_.probe_interval / 2;
  options.suspicion.patience = options_.patience;
  options.gossip_interval = options_.probe_interval / 5;
  options.exchange_interval = options_.exchange_interval;
  node.leaving = false;
  node.membership = std::make_unique<Membership>(options, node, node, now_);
  if (join) node.membership->Join(now_, node.seeds);
  ScheduleTick(node);
}

void Simulation::Schedule(Instant at, What what, size_t node, uint64_t index, size_t from) {
  happenings_.push(Happening{at, order_++, what, static_cast<uint32_t>(node),
                             static_cast<uint32_t>(from), index});
}

void Simulation::ScheduleTick(Node& node) {
  const Instant next = std::max(node.membership->NextTick(), node.stalled_until);
  if (next >= node.next_tick) return;
  node.next_tick = next;
  Schedule(next, What::kTick, node.number);
}

void Simulation::Handle(const Happening& happening) {
  Node& node = *nodes_[happening.node];
  switch (happening.what) {
    case What::kTick:
      if (node.next_tick != happening.at) return;  // an earlier one took its place
      node.next_tick = absl::InfiniteDuration();
      if (node.membership == nullptr) return;
      if (node.stalled_until <= now_) node.membership->Tick(now_);
      ScheduleTick(node);
      return;
    case What::kDeliver:
      return Deliver(happening);
    case What::kCrash:
      if (node.membership == nullptr) return;
      if (const auto after = options_.crashes[happening.index].restart_after) {
        Schedule(now_ + *after, What::kRestart, node.number);
      } else {
        detection_of_[node.number] = report_.detections.size();
        report_.detections.push_back({node.number, kNever, kNever, kNever, kNever});
      }
      return StopNode(node);
    case What::kRestart:
      return Start(node, true);
    case What::kLeave:
      if (node.membership == nullptr) return;
      node.leaving = true;
      node.membership->Leave(now_);
      return ScheduleTick(node);
    case What::kStall:
      node.stalled_until = now_ + options_.stalls[happening.index].lasts;
      return;
    case What::kNews:
      if (node.membership != nullptr && !node.leaving) {
        MemberMetadata metadata = node.membership->self()->metadata();
        ++metadata.filter_version;
        node.membership->SetMetadata(now_, std::move(metadata));
        ScheduleTick(node);
      }
      return Schedule(now_ + options_.news_interval, What::kNews, node.number);
  }
}

void Simulation::Deliver(const Happening& happening) {
  Node& node = *nodes_[happening.node];
  if (node.membership != nullptr && node.stalled_until > now_) {
    return Schedule(node.stalled_until, What::kDeliver, happening.node, happening.index,
                    happening.from);
  }
  const MembershipMessage message = std::move(messages_[happening.index]);
  messages_[happening.index] = MembershipMessage();
  free_messages_.push_back(happening.index);
  if (node.membership == nullptr || Separated(happening.from, happening.node)) return;
  report_.trace_hash = MixBits(report_.trace_hash ^ MixBits(absl::ToInt64Nanoseconds(now_)) ^
                               (uint64_t{happening.from} << 40 | uint64_t{happening.node} << 16 |
                                message.updates.size() << 8 | message.body.index()));
  node.membership->OnMessage(now_, nodes_[happening.from]->address, message);
  ScheduleTick(node);
}

void Simulation::StopNode(Node& node) {
  node.seeds.clear();
  const MemberTable& members = node.membership->members();
  for (MemberTable::Index i = 0; i < members.size() && i < kRememberedSeeds; ++i) {
    node.seeds.push_back(members[i].statement->address());
  }
  report_.suspicions += node.membership->suspicions();
  report_.refutations += node.membership->refutations();
  const std::unique_ptr<Membership> stopped = std::move(node.membership);
  crashed_at_[node.number] = now_;
  // What it knew of earlier crashes does not count any more.
  for (auto& detection : report_.detections) {
    const MemberTable::Index index = members.Find(nodes_[detection.node]->address);
    if (index != MemberTable::kNone && !members[index].present()) --deaths_seen_[detection.node];
    NoteWhoKnows(detection);
  }
}

void Simulation::Send(Node& from, const std::string& to, MembershipMessage message) {
  const uint64_t bytes = WireBytes(message);
  const bool state = absl::holds_alternative<StateMessage>(message.body) ||
                     absl::holds_alternative<DigestMessage>(message.body);
  uint64_t& largest = state ? report_.largest_state_message : report_.largest_message;
  largest = std::max(largest, bytes);
  ++report_.messages;
  report_.bytes += bytes;
  const auto found = by_address_.find(to);
  if (found == by_address_.end()) return;
  const size_t target = found->second;
  if (absl::holds_alternative<PingMessage>(message.body)) {
    if (const auto detection = detection_of_.find(target); detection != detection_of_.end()) {
      double& probed = report_.detections[detection->second].first_probed;
      if (probed == kNever) probed = PeriodsSince(crashed_at_[target]);
    }
  }
  const bool lost = random_.Unit() < options_.loss && now_ < options_.loss_until;
  if (lost || Separated(from.number, target)) return;
  uint64_t index = messages_.size();
  if (free_messages_.empty()) {
    messages_.push_back(std::move(message));
  } else {
    index = free_messages_.back();
    free_messages_.pop_back();
    messages_[index] = std::move(message);
  }
  const absl::Duration spread = options_.max_latency - options_.min_latency;
  Schedule(now_ + options_.min_latency + random_.Unit() * spread, What::kDeliver, target, index,
           from.number);
}

void Simulation::OnMember(MemberChange change, const MemberStatement& member) {
  const size_t number = by_address_.at(member.address());
  const Node& node = *nodes_[number];
  const auto detection = detection_of_.find(number);
  if (detection != detection_of_.end()) {
    auto& found = report_.detections[detection->second];
    if (change == MemberChange::kSuspected && found.first_suspected == kNever) {
      found.first_suspected = PeriodsSince(crashed_at_[number]);
    }
    if (change == MemberChange::kDied) {
      if (found.first_dead == kNever) found.first_dead = PeriodsSince(crashed_at_[number]);
      ++deaths_seen_[number];
      NoteWhoKnows(found);
    }
    return;
  }
  const bool of_this_life = member.incarnation() >= node.life;
  if (change == MemberChange::kDied && node.membership != nullptr && !node.leaving &&
      of_this_life && !PartitionLately()) {
    ++report_.false_deaths;
  }
}

void Simulation::NoteWhoKnows(GossipSimulationReport::Detection& detection) {
  const auto runs = [](const std::unique_ptr<Node>& node) { return node->membership != nullptr; };
  const auto running = std::count_if(nodes_.begin(), nodes_.end(), runs);
  if (detection.known_to_all == kNever &&
      static_cast<size_t>(running) == deaths_seen_[detection.node]) {
    detection.known_to_all = PeriodsSince(crashed_at_[detection.node]);
  }
}

bool Simulation::Separated(size_t a, size_t b) const {
  for (const auto& partition : options_.partitions) {
    const bool now = partition.at <= now_ && now_ < partition.at + partition.lasts;
    if (now && (a < partition.size) != (b < partition.size)) return true;
  }
  return false;
}

bool Simulation::PartitionLately() const {
  for (const auto& partition : options_.partitions) {
    if (partition.at <= now_ && now_ < partition.at + partition.lasts + kAfterPartition) {
      return true;
    }
  }
  return false;
}

void Simulation::Judge() {
  report_.bytes_per_node_second = static_cast<double>(report_.bytes) /
                                  static_cast<double>(options_.nodes) /
                                  absl::ToDoubleSeconds(options_.duration);
  report_.agreed = true;
  const auto present = [](const Node& node) { return node.membership != nullptr && !node.leaving; };
  for (const auto& viewer : nodes_) {
    if (viewer->membership == nullptr) continue;
    report_.suspicions += viewer->membership->suspicions();
    report_.refutations += viewer->membership->refutations();
    if (viewer->leaving) continue;
    const MemberTable& members = viewer->membership->members();
    for (const auto& other : nodes_) {
      if (other == viewer) continue;
      const MemberTable::Index index = members.Find(other->address);
      const bool known = index != MemberTable::kNone && members[index].present();
      const bool alive = known && members[index].state == MemberState::kAlive;
      if (present(*other) ? alive : !known) continue;
      report_.agreed = false;
      report_.disagreement = absl::StrCat(
          "node ", viewer->number, " takes node ", other->number, " for ",
          index == MemberTable::kNone ? "unknown" : MemberStateName(members[index].state));
    }
  }
}

}  // namespace

GossipSimulationReport SimulateGossip(const GossipSimulationOptions& options) {
  return Simulation(options).Run();
}

}  // namespace packice
