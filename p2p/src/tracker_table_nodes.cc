// TrackerTable: the nodes, how they come, fall silent and go.
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "tracker_table.h"

namespace packice {
namespace {

constexpr int kSilentIntervals = 3;

}  // namespace

absl::StatusOr<TrackerTable::Slot> TrackerTable::NodeOf(const tracker::v1::Node& told,
                                                        Instant now) {
  const auto known = addresses_.find(told.address());
  Slot slot = 0;
  if (known != addresses_.end()) {
    slot = known->second;
  } else {
    if (addresses_.size() >= kMaxNodes) {
      return MakeError(ErrorKind::kCapacity,
                       absl::StrCat("this tracker knows ", kMaxNodes,
                                    " nodes, and takes no more: run another fleet"));
    }
    if (free_slots_.empty()) {
      slot = static_cast<Slot>(nodes_.size());
      nodes_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    nodes_[slot].address = told.address();
    addresses_.emplace(told.address(), slot);
  }

  TrackerNode& node = nodes_[slot];
  if (node.alive && told.epoch() < node.epoch) return slot;
  if (!node.alive || told.epoch() > node.epoch) {
    // The generation may have counted for an older process.
    ++node.generation;
    DropOlder(slot);
    node.epoch = told.epoch();
    node.sequence = 0;
    node.in_full = false;
    node.want_full = false;
    node.busy_until = node.slow_until = now;
  }
  node.zone = told.zone();
  node.load = told.load();
  return slot;
}

TrackerTable::Slot TrackerTable::Find(absl::string_view address) const {
  const auto found = addresses_.find(address);
  if (found == addresses_.end() || !nodes_[found->second].alive) return FaultBook::kNobody;
  return found->second;
}

void TrackerTable::Heard(Slot slot, Instant now) {
  TrackerNode& node = nodes_[slot];
  if (node.alive) silence_.erase({node.last_heard, slot});
  node.alive = true;
  node.last_heard = now;
  silence_.emplace(now, slot);
}

void TrackerTable::DropOlder(Slot slot) {
  TrackerNode& node = nodes_[slot];
  node.floor = node.generation;
  node.unswept = node.contents.size();
  if (node.sweeping) return;
  node.sweeping = true;
  to_sweep_.push_back(slot);
}

void TrackerTable::Kill(Slot slot) {
  TrackerNode& node = nodes_[slot];
  silence_.erase({node.last_heard, slot});
  node.alive = false;
  ++node.generation;
  DropOlder(slot);
}

void TrackerTable::KillSilent(Instant now) {
  while (!silence_.empty() &&
         silence_.begin()->first + kSilentIntervals * options_.interval <= now) {
    Kill(silence_.begin()->second);
    ++expired_nodes_;
  }
}

void TrackerTable::Free(Slot slot) {
  addresses_.erase(nodes_[slot].address);
  nodes_[slot] = TrackerNode();
  free_slots_.push_back(slot);
}

void TrackerTable::SweepNodes(size_t& steps) {
  while (steps > 0 && !to_sweep_.empty()) {
    const Slot slot = to_sweep_.front();
    TrackerNode& node = nodes_[slot];
    // From behind: what Remove moves into a hole was looked at already.
    for (; steps > 0 && node.unswept > 0; --steps) {
      TrackerContent* const content = node.contents[--node.unswept];
      if (content->Find(slot)->generation < node.floor) Remove(content, slot);
    }
    if (node.unswept > 0) return;
    if (steps > 0) --steps;
    to_sweep_.pop_front();
    node.sweeping = false;
    if (!node.alive && node.contents.empty()) Free(slot);
  }
}

}  // namespace packice
