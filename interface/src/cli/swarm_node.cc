#include "cli/swarm_node.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/origin.h"
#include "cli/token.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

// For telling the fleet good-bye; those who do not hear it notice by themselves.
constexpr absl::Duration kFarewell = absl::Seconds(2);

SwarmOptions OptionsOf(const SwarmSpec& spec) {
  SwarmOptions options;
  options.listen = spec.listen;
  options.advertise = spec.advertise;
  options.cluster = spec.cluster;
  options.tls = {spec.tls_cert, spec.tls_key, spec.tls_ca};
  options.digest = spec.digest == "sha256" ? HashKind::kSha256 : HashKind::kXxh3;
  options.send_path = spec.send_path == "sendfile" ? SendPath::kSendfile : SendPath::kWrite;
  options.transfer.zone = spec.zone;
  options.transfer.up_limit = spec.up_limit;
  options.transfer.down_limit = spec.down_limit;
  return options;
}

}  // namespace

// Runs what blocks, one after another, on a thread that starts with the first.
class SwarmNode::Errands {
 public:
  using Errand = absl::AnyInvocable<void() &&>;

  ~Errands() {
    {
      MutexLock lock(mutex_);
      stopped_ = true;
      changed_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }

  void Run(Errand errand) {
    MutexLock lock(mutex_);
    waiting_.push_back(std::move(errand));
    if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
    changed_.NotifyAll();
  }

 private:
  void Work() {
    while (true) {
      Errand errand;
      {
        MutexLock lock(mutex_);
        while (waiting_.empty() && !stopped_) changed_.Wait(mutex_);
        // Those that still wait are run, too: each owes somebody an answer.
        if (waiting_.empty()) return;
        errand = std::move(waiting_.front());
        waiting_.pop_front();
      }
      std::move(errand)();
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<Errand> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // started under the lock, joined without it
};

SwarmNode::SwarmNode() : errands_(std::make_unique<Errands>()) {}

SwarmNode::~SwarmNode() {
  errands_.reset();
  loaded_ = nullptr;
}

absl::StatusOr<std::unique_ptr<SwarmNode>> SwarmNode::Start(const SwarmSpec& spec,
                                                            std::unique_ptr<Peer> local,
                                                            ChangeFeed& changes, EventSink& events,
                                                            Log log) {
  std::string token;
  if (!spec.token_file.empty()) {
    absl::StatusOr<std::string> read = ReadToken(spec.token_file);
    if (!read.ok()) return read.status();
    token = *std::move(read);
    if (IsOpenToOthers(spec.token_file)) {
      log(absl::StrCat("other users may read the token file ", spec.token_file));
    }
  }
  absl::StatusOr<std::unique_ptr<Peer>> origin = OpenOrigin(spec);
  if (!origin.ok()) return origin.status();

  std::unique_ptr<SwarmNode> node(new SwarmNode);
  node->zone_ = spec.zone;
  SwarmOptions options = OptionsOf(spec);
  options.token = token;
  options.events = &events;
  options.log = log;
  const auto make_directory =
      [&](const std::string& address) -> absl::StatusOr<std::unique_ptr<Directory>> {
    FleetDirectory::Options fleet;
    fleet.address = address;
    fleet.token = token;
    fleet.load = [&loaded = node->loaded_] {
      const SwarmPeer* peer = loaded;
      return peer != nullptr ? peer->load() : 0.0;
    };
    fleet.events = &events;
    fleet.log = log;
    auto made = FleetDirectory::Make(spec, fleet);
    if (!made.ok()) return made.status();
    node->fleet_ = made->get();
    return *std::move(made);
  };
  auto peer = SwarmPeer::Open(std::move(local), changes, make_directory, *std::move(origin),
                              std::move(options));
  if (!peer.ok()) return peer.status();
  node->peer_ = *std::move(peer);
  node->loaded_ = node->peer_.get();
  return node;
}

std::string SwarmNode::addresses() const {
  std::string addresses = absl::StrCat("p2p://", peer_->address());
  if (const GossipNode* gossip = fleet_->gossip()) {
    absl::StrAppend(&addresses, " gossip://", gossip->gossip_address());
  }
  return addresses;
}

void SwarmNode::Drain(absl::Duration grace) {
  peer_->Drain(grace);
  fleet_->Leave(kFarewell);
}

Member SwarmNode::Self() const {
  Member self;
  self.address = peer_->address();
  if (const GossipNode* gossip = fleet_->gossip()) self.gossip_address = gossip->gossip_address();
  self.zone = zone_;
  self.role = "node";
  self.load = peer_->load();
  return self;
}

void SwarmNode::Members(Done<absl::StatusOr<std::vector<Member>>> done) {
  if (const GossipNode* gossip = fleet_->gossip()) return std::move(done)(gossip->Members());
  errands_->Run([this, done = std::move(done)]() mutable { std::move(done)(AskTrackers()); });
}

// Without gossip a node knows of itself and of its trackers.
std::vector<Member> SwarmNode::AskTrackers() const {
  std::vector<Member> members = {Self()};
  for (const TrackerDirectory::TrackerState& tracker : fleet_->trackers()->Trackers()) {
    Member member;
    member.address = tracker.address;
    member.state = tracker.reachable ? MemberState::kAlive : MemberState::kDead;
    member.role = "tracker";
    member.age = tracker.last_answer;
    members.push_back(std::move(member));
  }
  return members;
}

void SwarmNode::StatHere(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  peer_->local().Stat(object_id, std::move(done));
}

void SwarmNode::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  peer_->Locate(std::move(request), std::move(done));
}

void SwarmNode::List(const std::string& prefix, const std::string& after, size_t limit,
                     Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  peer_->ListEverywhere(prefix, after, limit, std::move(done));
}

void SwarmNode::Prefetch(FetchRequest request, Done<absl::Status> done) {
  peer_->Prefetch(std::move(request), std::move(done));
}

void SwarmNode::Cancel(OperationId operation) { peer_->Cancel(operation); }

void SwarmNode::DiscardEverywhere(const ObjectId& object_id,
                                  Done<absl::StatusOr<std::vector<SwarmPeer::Removal>>> done) {
  peer_->DiscardEverywhere(object_id, std::move(done));
}

void SwarmNode::Transfers(const absl::optional<ObjectId>& object_id,
                          Done<absl::StatusOr<std::vector<TransferInfo>>> done) {
  peer_->Transfers(object_id, std::move(done));
}

void SwarmNode::Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done) {
  peer_->Downloads(std::move(done));
}

SwarmFigures SwarmNode::Figures() const {
  SwarmFigures figures;
  figures.transfers = peer_->counters();
  figures.links = peer_->links();
  figures.members = 1;
  if (const GossipNode* gossip = fleet_->gossip()) {
    const std::vector<Member> members = gossip->Members();
    figures.members =
        static_cast<size_t>(std::count_if(members.begin(), members.end(), [](const Member& each) {
          return each.state == MemberState::kAlive;
        }));
  }
  return figures;
}

std::string SwarmNode::DirectoryMetrics() const { return fleet_->MetricsText(); }

}  // namespace packice::cli
