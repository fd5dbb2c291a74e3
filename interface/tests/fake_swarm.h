// A node's part in a swarm that says what a test lets it say.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/swarm_view.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"

namespace packice::cli {

class FakeSwarm final : public SwarmView {
 public:
  Member self;
  std::vector<Member> members;
  std::map<std::string, Location> locations;
  std::map<std::string, uint64_t> here;          // sizes of objects that this node has
  std::vector<std::string> listed;               // ids of the fleet, in order
  std::map<std::string, absl::Status> failures;  // of Prefetch
  std::vector<SwarmPeer::Removal> removals;
  std::vector<TransferInfo> transfers;
  std::vector<DownloadInfo> downloads;
  SwarmFigures figures;
  bool hold = false;  // Prefetch answers by Finish only

  Member Self() const override { return self; }
  void Members(Done<absl::StatusOr<std::vector<Member>>> done) override {
    std::move(done)(members);
  }
  void StatHere(const ObjectId& id, Done<absl::StatusOr<ObjectInfo>> done) override {
    const auto it = here.find(std::string(id.bytes()));
    if (it == here.end()) return std::move(done)(MakeError(ErrorKind::kNotFound, "not here"));
    ObjectInfo info;
    info.object_id = id;
    info.state = ObjectState::kSealed;
    info.blob_sizes = {it->second};
    std::move(done)(std::move(info));
  }
  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override {
    std::move(done)(locations[std::string(request.object_id.bytes())]);
  }
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override {
    std::vector<ObjectId> page;
    for (const std::string& id : listed) {
      if (id.rfind(prefix, 0) == 0 && id > after && page.size() < limit) {
        page.push_back(*ObjectId::Parse(id));
      }
    }
    std::move(done)(std::move(page));
  }
  void Prefetch(FetchRequest request, Done<absl::Status> done) override {
    const std::string id(request.object_id.bytes());
    fetched.push_back(id);
    deadline = request.deadline;
    if (hold) {
      held.emplace_back(id, std::move(done));
      return;
    }
    const auto it = failures.find(id);
    std::move(done)(it == failures.end() ? absl::OkStatus() : it->second);
  }
  void Cancel(OperationId operation) override { cancelled.push_back(operation); }
  void DiscardEverywhere(const ObjectId&,
                         Done<absl::StatusOr<std::vector<SwarmPeer::Removal>>> done) override {
    std::move(done)(removals);
  }
  void Transfers(const absl::optional<ObjectId>&,
                 Done<absl::StatusOr<std::vector<TransferInfo>>> done) override {
    std::move(done)(transfers);
  }
  void Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done) override {
    std::move(done)(downloads);
  }
  SwarmFigures Figures() const override { return figures; }
  std::string DirectoryMetrics() const override { return "packice_gossip_probes_total 5\n"; }

  // The oldest Prefetch that is held ends so.
  void Finish(absl::Status status) {
    Done<absl::Status> done = std::move(held.front().second);
    held.erase(held.begin());
    std::move(done)(std::move(status));
  }

  std::vector<std::string> fetched;
  Instant deadline;
  std::vector<std::pair<std::string, Done<absl::Status>>> held;
  std::vector<OperationId> cancelled;
};

}  // namespace packice::cli
