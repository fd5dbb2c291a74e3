// A fleet of real nodes, `packice serve`, and perhaps a tracker, each on a host of a NetworkLab.
//
// Used on the thread that made it, but for the reading of objects. Everything ends with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "fault_proxy.h"
#include "lab_process.h"
#include "network_lab.h"
#include "temporary_directory.h"

namespace packice {

struct FleetOptions {
  std::string program;  // packice
  // Of each node's cable, each way; nothing: as much as it can.
  absl::optional<uint64_t> bits_per_second = 200'000'000;
  bool tracker = true;
  bool gossip = false;                         // every node joins the first one
  absl::Duration interval = absl::Seconds(2);  // at which the tracker is told again
  std::vector<std::string> flags;              // of every node, further ones
};

class FleetNode {
 public:
  // Unstarted. `proxied`: others reach it through its proxy().
  FleetNode(std::vector<std::string> command, std::string socket, std::string log, NetworkLab& lab,
            NetworkLab::Host host, std::unique_ptr<FaultProxy> proxy);

  // Returns when it is ready. `timeout`, `unavailable` with what it said.
  absl::Status Start();
  void Kill() { process_.reset(); }
  // By SIGTERM; answers the exit code.
  int Stop();
  bool running() const { return process_ != nullptr; }

  pid_t pid() const { return process_->pid(); }
  const std::string& socket() const { return socket_; }
  NetworkLab::Host host() const { return host_; }
  // Where others get objects of it.
  const std::string& address() const { return address_; }
  // Null unless proxied.
  FaultProxy* proxy() { return proxy_.get(); }

  // The output of a command of packice about this node: {"peers"}, {"locate", "id"}. With --json.
  absl::StatusOr<std::string> Ask(std::vector<std::string> command) const;
  // A figure of its statistics, "holders_banned".
  absl::StatusOr<uint64_t> Figure(const std::string& name) const;

 private:
  const std::vector<std::string> command_;
  const std::string socket_;
  const std::string log_;
  NetworkLab& lab_;
  const NetworkLab::Host host_;
  const std::string address_;
  const std::unique_ptr<FaultProxy> proxy_;
  std::unique_ptr<LabProcess> process_;
};

class Fleet {
 public:
  // With its tracker, if it is to have one, and no nodes. Errors of NetworkLab::Make.
  static absl::StatusOr<std::unique_ptr<Fleet>> Make(FleetOptions options);

  enum class Reached { kDirectly, kThroughProxy };
  // Starts a node on a host of its own.
  absl::StatusOr<FleetNode*> AddNode(Reached reached = Reached::kDirectly);

  NetworkLab& lab() { return *lab_; }
  FleetNode& node(size_t index) { return *nodes_[index]; }  // in the order of AddNode
  size_t size() const { return nodes_.size(); }

  absl::Status StartTracker();
  void KillTracker() { tracker_.reset(); }
  // The addresses of those who hold all of the object, by the tracker's word.
  absl::StatusOr<std::vector<std::string>> HoldersByTracker(const std::string& id) const;

  // The end of each log, for who wants to know what went wrong.
  std::string Logs() const;

 private:
  explicit Fleet(FleetOptions options) : options_(std::move(options)) {}
  std::vector<std::string> CommandOf(NetworkLab::Host host, const std::string& socket,
                                     const std::string& advertised) const;
  std::string LogOf(NetworkLab::Host host) const;

  const FleetOptions options_;
  const TemporaryDirectory directory_;
  std::unique_ptr<NetworkLab> lab_;
  NetworkLab::Host tracker_host_ = 0;
  std::unique_ptr<LabProcess> tracker_;
  std::vector<std::unique_ptr<FleetNode>> nodes_;
};

// The value of a number in JSON text, the first of that name at any depth. `not_found`.
absl::StatusOr<uint64_t> NumberIn(const std::string& json, const std::string& name);

}  // namespace packice
