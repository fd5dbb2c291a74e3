#include "fleet.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(20);
constexpr char kTrackerPort[] = ":7700";
constexpr char kPort[] = ":7701";
constexpr char kGossipPort[] = ":7702";
constexpr char kProxyPort[] = ":7801";
constexpr size_t kLogBytes = 4000;

absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& command) {
  absl::StatusOr<LabProcess> process = LabProcess::Start(command, "");
  if (!process.ok()) return process.status();
  std::string output = process->ReadAll();
  const int code = process->Wait();
  if (code == 0) return output;
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat(absl::StrJoin(command, " "), " ends with ", code));
}

std::string EndOf(const std::string& log) {
  std::ifstream in(log);
  const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return all.substr(all.size() - std::min(all.size(), kLogBytes));
}

absl::StatusOr<std::unique_ptr<LabProcess>> StartUntilReady(const std::vector<std::string>& command,
                                                            const std::string& log) {
  absl::StatusOr<LabProcess> started = LabProcess::Start(command, log);
  if (!started.ok()) return started.status();
  auto process = std::make_unique<LabProcess>(*std::move(started));
  const absl::StatusOr<std::string> line = process->ReadLine(kStartTimeout);
  if (line.ok() && absl::StartsWith(*line, "packice ")) return process;
  return MakeError(
      ErrorKind::kUnavailable,
      absl::StrCat(absl::StrJoin(command, " "), " does not become ready: ",
                   line.ok() ? *line : std::string(line.status().message()), "\n", EndOf(log)));
}

// Of the holders in what `packice locate --json` says, those with "complete":true.
std::vector<std::string> CompleteHolders(const std::string& json) {
  const std::string key = "\"address\":\"";
  std::vector<std::string> holders;
  size_t at = json.find("\"holders\"");
  while (at != std::string::npos && (at = json.find(key, at)) != std::string::npos) {
    at += key.size();
    const size_t end = json.find('}', at);
    if (absl::StrContains(json.substr(at, end - at), "\"complete\":true")) {
      holders.push_back(json.substr(at, json.find('"', at) - at));
    }
  }
  return holders;
}

}  // namespace

absl::StatusOr<uint64_t> NumberIn(const std::string& json, const std::string& name) {
  const std::string key = absl::StrCat("\"", name, "\":");
  const size_t at = json.find(key);
  uint64_t number = 0;
  if (at != std::string::npos) {
    const size_t begin = at + key.size();
    const size_t end = json.find_first_not_of("0123456789", begin);
    if (absl::SimpleAtoi(json.substr(begin, end - begin), &number)) return number;
  }
  return MakeError(ErrorKind::kNotFound, absl::StrCat("no number ", name, " in ", json));
}

FleetNode::FleetNode(std::vector<std::string> command, std::string socket, std::string log,
                     NetworkLab& lab, NetworkLab::Host host, std::unique_ptr<FaultProxy> proxy)
    : command_(std::move(command)),
      socket_(std::move(socket)),
      log_(std::move(log)),
      lab_(lab),
      host_(host),
      address_(NetworkLab::AddressOf(host) + (proxy != nullptr ? kProxyPort : kPort)),
      proxy_(std::move(proxy)) {}

absl::Status FleetNode::Start() {
  const NetworkScope there = lab_.Enter(host_);
  absl::StatusOr<std::unique_ptr<LabProcess>> process = StartUntilReady(command_, log_);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  return absl::OkStatus();
}

int FleetNode::Stop() {
  process_->Signal(SIGTERM);
  const int code = process_->Wait();
  process_.reset();
  return code;
}

absl::StatusOr<std::string> FleetNode::Ask(std::vector<std::string> command) const {
  command.insert(command.begin(), command_[0]);
  command.insert(command.end(), {"--json", "--target", socket_});
  return OutputOf(command);
}

absl::StatusOr<uint64_t> FleetNode::Figure(const std::string& name) const {
  const absl::StatusOr<std::string> stats = Ask({"stats"});
  if (!stats.ok()) return stats.status();
  return NumberIn(*stats, name);
}

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Make(FleetOptions options) {
  std::unique_ptr<Fleet> fleet(new Fleet(std::move(options)));
  absl::StatusOr<std::unique_ptr<NetworkLab>> lab = NetworkLab::Make();
  if (!lab.ok()) return lab.status();
  fleet->lab_ = *std::move(lab);
  if (!fleet->options_.tracker) return fleet;
  absl::StatusOr<NetworkLab::Host> host = fleet->lab_->AddHost(absl::nullopt);
  if (!host.ok()) return host.status();
  fleet->tracker_host_ = *host;
  if (absl::Status status = fleet->StartTracker(); !status.ok()) return status;
  return fleet;
}

absl::Status Fleet::StartTracker() {
  const NetworkScope there = lab_->Enter(tracker_host_);
  absl::StatusOr<std::unique_ptr<LabProcess>> tracker = StartUntilReady(
      {options_.program, "tracker", "--listen", NetworkLab::AddressOf(tracker_host_) + kTrackerPort,
       "--insecure", "--interval", absl::StrCat(absl::ToInt64Seconds(options_.interval))},
      LogOf(tracker_host_));
  if (!tracker.ok()) return tracker.status();
  tracker_ = *std::move(tracker);
  return absl::OkStatus();
}

std::vector<std::string> Fleet::CommandOf(NetworkLab::Host host, const std::string& socket,
                                          const std::string& advertised) const {
  const std::string address = NetworkLab::AddressOf(host);
  std::vector<std::string> command = {
      options_.program,  "serve",    "--impl",        "mem",  "--capacity",   "2GiB",
      "--transport",     "uds",      "--socket",      socket, "--p2p-listen", address + kPort,
      "--p2p-advertise", advertised, "--p2p-insecure"};
  if (options_.tracker) {
    command.insert(command.end(),
                   {"--tracker", NetworkLab::AddressOf(tracker_host_) + kTrackerPort});
  }
  if (options_.gossip) {
    command.insert(command.end(), {"--gossip-listen", address + kGossipPort});
    const NetworkLab::Host first = nodes_.empty() ? host : nodes_.front()->host();
    if (first != host) {
      command.insert(command.end(), {"--join", NetworkLab::AddressOf(first) + kGossipPort});
    }
  }
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  return command;
}

absl::StatusOr<FleetNode*> Fleet::AddNode(Reached reached) {
  absl::StatusOr<NetworkLab::Host> host = lab_->AddHost(options_.bits_per_second);
  if (!host.ok()) return host.status();
  const std::string address = NetworkLab::AddressOf(*host);
  const std::string socket = directory_ / absl::StrCat("node", *host);
  std::unique_ptr<FaultProxy> proxy;
  if (reached == Reached::kThroughProxy) {
    const NetworkScope there = lab_->Enter(*host);
    absl::StatusOr<std::unique_ptr<FaultProxy>> started =
        FaultProxy::Start(address + kProxyPort, address + kPort, /*seed=*/*host);
    if (!started.ok()) return started.status();
    proxy = *std::move(started);
  }
  const std::string advertised = address + (proxy != nullptr ? kProxyPort : kPort);
  nodes_.push_back(std::make_unique<FleetNode>(CommandOf(*host, socket, advertised), socket,
                                               LogOf(*host), *lab_, *host, std::move(proxy)));
  if (absl::Status status = nodes_.back()->Start(); !status.ok()) return status;
  return nodes_.back().get();
}

absl::StatusOr<std::vector<std::string>> Fleet::HoldersByTracker(const std::string& id) const {
  const NetworkScope there = lab_->Enter(tracker_host_);
  const absl::StatusOr<std::string> said =
      OutputOf({options_.program, "locate", id, "--json", "--tracker",
                NetworkLab::AddressOf(tracker_host_) + kTrackerPort});
  if (!said.ok()) return said.status();
  return CompleteHolders(*said);
}

std::string Fleet::LogOf(NetworkLab::Host host) const {
  return directory_ / absl::StrCat("log", host);
}

std::string Fleet::Logs() const {
  std::string logs;
  for (NetworkLab::Host host = 1; host <= nodes_.size() + (tracker_host_ != 0 ? 1 : 0); ++host) {
    absl::StrAppend(&logs, "--- ", NetworkLab::AddressOf(host), "\n", EndOf(LogOf(host)));
  }
  return logs;
}

}  // namespace packice
