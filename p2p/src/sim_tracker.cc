#include "sim_tracker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sim_node.h"

namespace packice {
namespace {

constexpr int64_t kUnavailableAfter = 50'000'000;  // nanoseconds

}  // namespace

std::string SimAddress(uint32_t node) { return absl::StrCat("n", node); }

uint32_t SimNodeAt(const std::string& address) {
  uint32_t node = 0;
  const bool parsed = absl::SimpleAtoi(absl::string_view(address).substr(1), &node);
  return parsed ? node : ~uint32_t{0};
}

std::string SimZone(const SimWorld& world, uint32_t node) {
  return world.options.zones > 1 ? absl::StrCat("z", node % world.options.zones) : "";
}

bool SimTracker::Out() const {
  const Instant now = world_.queue.Now();
  const auto& options = world_.options;
  return now >= options.tracker_outage_at &&
         now < options.tracker_outage_at + options.tracker_outage;
}

absl::StatusOr<Location> SimTracker::Locate(uint32_t from, const LocateRequest& request) {
  const bool out = Out();
  if (out && world_.options.gossip_lag <= absl::ZeroDuration()) {
    return MakeError(ErrorKind::kUnavailable, "the tracker is out");
  }
  const int64_t known_by =
      world_.queue.nanoseconds() - (out ? absl::ToInt64Nanoseconds(world_.options.gossip_lag) : 0);
  Location location;
  if (entries_.empty()) return location;
  location.digest = world_.digest;
  location.size = world_.manifest->size();
  location.pieces = world_.manifest->pieces();
  // So many at random as to find enough, without a look at all of ten thousand.
  std::vector<size_t> chosen;
  const bool few = entries_.size() <= 4 * request.max;
  const size_t tries = few ? entries_.size() : 4 * request.max;
  for (size_t i = 0; i < tries; ++i)
    chosen.push_back(few ? i : world_.random.Below(entries_.size()));
  world_.random.Shuffle(chosen);
  for (size_t index : chosen) {
    const Entry& entry = entries_[index];
    if (location.holders.size() >= request.max) break;
    if (entry.node == from || entry.since > known_by) continue;
    Holder holder;
    holder.address = SimAddress(entry.node);
    holder.zone = SimZone(world_, entry.node);
    holder.complete = entry.complete;
    const auto same = [&](const Holder& other) { return other.address == holder.address; };
    if (std::any_of(location.holders.begin(), location.holders.end(), same)) continue;
    const std::vector<std::string>& exclude = request.exclude;
    if (std::find(exclude.begin(), exclude.end(), holder.address) != exclude.end()) continue;
    location.holders.push_back(std::move(holder));
  }
  const std::string zone = SimZone(world_, from);
  std::stable_partition(location.holders.begin(), location.holders.end(),
                        [&](const Holder& holder) { return holder.zone == zone; });
  return location;
}

void SimTracker::Announce(uint32_t node, bool complete) {
  const auto [it, fresh] = index_.try_emplace(node, entries_.size());
  if (fresh) entries_.push_back({node, complete, world_.queue.nanoseconds()});
  entries_[it->second].complete = complete;
}

void SimTracker::Withdraw(uint32_t node) {
  const auto it = index_.find(node);
  if (it == index_.end()) return;
  const size_t hole = it->second;
  index_.erase(it);
  if (hole + 1 != entries_.size()) {
    entries_[hole] = entries_.back();
    index_[entries_[hole].node] = hole;
  }
  entries_.pop_back();
}

void SimTrackerView::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  const int64_t way = world_.Latency();
  world_.queue.After(
      way, [this, request = std::move(request), done = std::move(done), way]() mutable {
        absl::StatusOr<Location> location = tracker_.Locate(node_.index(), request);
        const int64_t back = location.ok() ? way : kUnavailableAfter;
        world_.queue.After(
            back, [this, location = std::move(location), done = std::move(done)]() mutable {
              node_.Tell([&](TransferEngine&) { std::move(done)(std::move(location)); });
            });
      });
}

void SimTrackerView::Announce(const Holding& holding) {
  world_.queue.After(world_.Latency(), [this, holding]() mutable { Tell(std::move(holding)); });
}

// A real directory tells it again and again; once it is heard is enough here.
void SimTrackerView::Tell(Holding holding) {
  if (!node_.running()) return;
  if (!tracker_.Out()) return tracker_.Announce(node_.index(), holding.complete());
  world_.queue.After(500'000'000,
                     [this, holding = std::move(holding)]() mutable { Tell(std::move(holding)); });
}

void SimTrackerView::Withdraw(const ObjectId&) {
  world_.queue.After(world_.Latency(), [this] { tracker_.Withdraw(node_.index()); });
}

void SimTrackerView::List(const std::string&, const std::string&, size_t,
                          Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  std::move(done)(MakeError(ErrorKind::kUnsupported, "a simulated tracker has no list"));
}

}  // namespace packice
