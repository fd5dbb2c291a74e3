// The tracker of a simulated swarm, as each of its nodes sees it. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "packice/p2p/directory.h"
#include "sim_world.h"

namespace packice {

class SimNode;

class SimTracker {
 public:
  explicit SimTracker(SimWorld& world) : world_(world) {}

  absl::StatusOr<Location> Locate(uint32_t from, const LocateRequest& request);
  void Announce(uint32_t node, bool complete);
  void Withdraw(uint32_t node);
  // Told by a node; believed of a node that is not heard of any more.
  void Forget(uint32_t node) { Withdraw(node); }
  bool Out() const;

 private:
  struct Entry {
    uint32_t node;
    bool complete;
    int64_t since;
  };

  SimWorld& world_;
  std::vector<Entry> entries_;
  absl::flat_hash_map<uint32_t, size_t> index_;  // of each node's entry
};

// One node's.
class SimTrackerView final : public Directory {
 public:
  SimTrackerView(SimWorld& world, SimTracker& tracker, SimNode& node)
      : world_(world), tracker_(tracker), node_(node) {}

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void Announce(const Holding& holding) override;
  void Withdraw(const ObjectId& object_id) override;
  void Report(const ObjectId&, const std::string&, HolderFault) override {}
  std::unique_ptr<Watch> WatchPrefix(const std::string&, OnChange) override { return nullptr; }
  void List(const std::string&, const std::string&, size_t,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

 private:
  void Tell(Holding holding);

  SimWorld& world_;
  SimTracker& tracker_;
  SimNode& node_;
};

// A node's address and the inverse.
std::string SimAddress(uint32_t node);
uint32_t SimNodeAt(const std::string& address);
std::string SimZone(const SimWorld& world, uint32_t node);

}  // namespace packice
