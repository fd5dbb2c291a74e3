#include "cli/fleet_directory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace packice::cli {

absl::StatusOr<std::unique_ptr<FleetDirectory>> FleetDirectory::Make(const SwarmSpec& spec,
                                                                     const Options& options) {
  const GrpcTls tls = {spec.tls_cert, spec.tls_key, spec.tls_ca};
  std::unique_ptr<FleetDirectory> fleet(new FleetDirectory);
  std::vector<Directory*> directories;
  if (!spec.trackers.empty()) {
    TrackerDirectoryOptions trackers;
    trackers.trackers = spec.trackers;
    trackers.address = options.address;
    trackers.zone = spec.zone;
    trackers.token = options.token;
    trackers.tls = tls;
    trackers.load = options.load;
    trackers.log = options.log;
    auto made = TrackerDirectory::Make(std::move(trackers));
    if (!made.ok()) return made.status();
    fleet->trackers_ = *std::move(made);
    directories.push_back(fleet->trackers_.get());
  }
  if (!spec.gossip_listen.empty()) {
    GossipOptions gossip;
    gossip.listen = spec.gossip_listen;
    gossip.advertise = spec.gossip_advertise;
    gossip.join = spec.join;
    gossip.address = options.address;
    gossip.cluster = spec.cluster;
    gossip.zone = spec.zone;
    gossip.insecure = spec.insecure;
    gossip.token = options.token;
    gossip.tls = tls;
    gossip.seeds_file = spec.gossip_seeds;
    gossip.load = options.load;
    gossip.events = options.events;
    gossip.log = options.log;
    auto started = GossipNode::Start(std::move(gossip));
    if (!started.ok()) return started.status();
    fleet->gossip_ = *std::move(started);
    directories.push_back(&fleet->gossip_->directory());
  }
  fleet->chain_ = std::make_unique<DirectoryChain>(std::move(directories));
  return fleet;
}

void FleetDirectory::Leave(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  // A tracker that cannot be told notices by itself that the node is gone.
  if (trackers_ != nullptr) trackers_->Leave(patience).IgnoreError();
  if (gossip_ != nullptr) gossip_->Leave(std::max(deadline - absl::Now(), absl::ZeroDuration()));
}

std::string FleetDirectory::MetricsText() const {
  return absl::StrCat(trackers_ != nullptr ? trackers_->MetricsText() : "",
                      gossip_ != nullptr ? gossip_->MetricsText() : "");
}

void FleetDirectory::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  chain_->Locate(std::move(request), std::move(done));
}

void FleetDirectory::Announce(const Holding& holding) { chain_->Announce(holding); }

void FleetDirectory::Withdraw(const ObjectId& object_id) { chain_->Withdraw(object_id); }

void FleetDirectory::Report(const ObjectId& object_id, const std::string& holder,
                            HolderFault fault) {
  chain_->Report(object_id, holder, fault);
}

std::unique_ptr<Directory::Watch> FleetDirectory::WatchPrefix(const std::string& prefix,
                                                              OnChange on_change) {
  return chain_->WatchPrefix(prefix, std::move(on_change));
}

void FleetDirectory::List(const std::string& prefix, const std::string& after, size_t limit,
                          Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  chain_->List(prefix, after, limit, std::move(done));
}

}  // namespace packice::cli
