#include "network_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lab_process.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr char kIp[] = "/sbin/ip";
constexpr char kTc[] = "/sbin/tc";
constexpr char kBridge[] = "together";
constexpr char kOtherBridge[] = "apart";

std::string CableOf(NetworkLab::Host host) { return absl::StrCat("host", host); }

UniqueFd NetworkOfThisThread() {
  return UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

absl::Status WriteFile(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    return absl::OkStatus();
  }
  return ErrnoError(errno, absl::StrCat("cannot write ", path));
}

// Root in a user namespace of its own, who may make networks.
absl::Status BecomeRoot() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER) != 0) {
    return ErrnoError(errno, absl::StrCat("uid ", user,
                                          " may make neither networks nor users "
                                          "(sysctl kernel.unprivileged_userns_clone, AppArmor, "
                                          "a container's seccomp)"));
  }
  absl::Status status = WriteFile("/proc/self/setgroups", "deny");
  if (status.ok()) status = WriteFile("/proc/self/uid_map", absl::StrCat("0 ", user, " 1"));
  if (status.ok()) status = WriteFile("/proc/self/gid_map", absl::StrCat("0 ", group, " 1"));
  return status;
}

absl::Status MakeOwnNetwork() {
  if (unshare(CLONE_NEWNET) == 0) return absl::OkStatus();
  if (errno != EPERM) return ErrnoError(errno, "cannot make a network");
  if (absl::Status status = BecomeRoot(); !status.ok()) return status;
  if (unshare(CLONE_NEWNET) == 0) return absl::OkStatus();
  return ErrnoError(errno, "cannot make a network as root of a user namespace");
}

absl::Status MakeBridge(const char* name) {
  if (absl::Status status = RunTool({kIp, "link", "add", name, "type", "bridge"}); !status.ok()) {
    return status;
  }
  return RunTool({kIp, "link", "set", name, "up"});
}

// A token bucket on what leaves by this device. tbf passes packets of 64 KiB (GSO) whole, so the
// bucket has room for some.
absl::Status LimitRate(const std::string& device, absl::optional<uint64_t> bits_per_second) {
  if (!bits_per_second) return absl::OkStatus();
  return RunTool({kTc, "qdisc", "add", "dev", device, "root", "tbf", "rate",
                  absl::StrCat(*bits_per_second, "bit"), "burst", "256k", "latency", "50ms"});
}

// Debian's default, whatever this machine's is: how a swarm shares its cables depends on it. Where
// it cannot be chosen the machine's own is as good as any.
void UseCubic() { std::ofstream("/proc/sys/net/ipv4/tcp_congestion_control") << "cubic\n"; }

absl::Status SetUpHost(const std::string& address, absl::optional<uint64_t> bits_per_second) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {kIp, "link", "set", "lo", "up"},
           {kIp, "link", "set", "eth0", "up"},
           {kIp, "addr", "add", address + "/24", "dev", "eth0"}}) {
    if (absl::Status status = RunTool(command); !status.ok()) return status;
  }
  UseCubic();
  return LimitRate("eth0", bits_per_second);
}

}  // namespace

NetworkScope::NetworkScope(int there, int back) : back_(back) {
  if (setns(there, CLONE_NEWNET) != 0) std::abort();
}
NetworkScope::~NetworkScope() {
  if (setns(back_, CLONE_NEWNET) != 0) std::abort();
}

absl::StatusOr<std::unique_ptr<NetworkLab>> NetworkLab::Make() {
  std::unique_ptr<NetworkLab> lab(new NetworkLab);
  if (absl::Status status = lab->SetUp(); !status.ok()) return status;
  return lab;
}

NetworkLab::~NetworkLab() {
  // Not allowed from within a user namespace, where the next lab begins anew.
  if (outside_) static_cast<void>(setns(outside_.get(), CLONE_NEWNET));
}

absl::Status NetworkLab::SetUp() {
  outside_ = NetworkOfThisThread();
  if (absl::Status status = MakeOwnNetwork(); !status.ok()) return status;
  network_ = NetworkOfThisThread();
  if (!network_) return ErrnoError(errno, "cannot open the lab's network");
  if (absl::Status status = RunTool({kIp, "link", "set", "lo", "up"}); !status.ok()) return status;
  if (absl::Status status = MakeBridge(kBridge); !status.ok()) return status;
  if (absl::Status status = MakeBridge(kOtherBridge); !status.ok()) return status;
  return RunTool({kIp, "addr", "add", absl::StrCat(kAddress, "/24"), "dev", kBridge});
}

std::string NetworkLab::AddressOf(Host host) { return absl::StrCat("10.77.0.", host); }

absl::StatusOr<NetworkLab::Host> NetworkLab::AddHost(absl::optional<uint64_t> bits_per_second) {
  if (hosts_.size() == kMaxHosts) return MakeError(ErrorKind::kCapacity, "the lab is full");
  UniqueFd network;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) == 0) network = NetworkOfThisThread();
  }).join();
  if (!network) return ErrnoError(EPERM, "cannot make a host's network");
  hosts_.push_back(std::move(network));
  const Host host = hosts_.size();
  const std::string cable = CableOf(host);
  const std::string there = absl::StrCat("/proc/", getpid(), "/fd/", hosts_.back().get());
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {kIp, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", there},
           {kIp, "link", "set", cable, "master", kBridge, "up"}}) {
    if (absl::Status status = RunTool(command); !status.ok()) return status;
  }
  if (absl::Status status = LimitRate(cable, bits_per_second); !status.ok()) return status;
  const NetworkScope inside = Enter(host);
  if (absl::Status status = SetUpHost(AddressOf(host), bits_per_second); !status.ok()) {
    return status;
  }
  return host;
}

NetworkScope NetworkLab::Enter(Host host) const {
  return NetworkScope(hosts_[host - 1].get(), network_.get());
}

absl::Status NetworkLab::PullOut(Host host) {
  return RunTool({kIp, "link", "set", CableOf(host), "down"});
}

absl::Status NetworkLab::PlugIn(Host host) {
  return RunTool({kIp, "link", "set", CableOf(host), "up"});
}

absl::Status NetworkLab::Split(const std::vector<Host>& apart) {
  for (const Host host : apart) {
    absl::Status status = RunTool({kIp, "link", "set", CableOf(host), "master", kOtherBridge});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status NetworkLab::Heal() {
  for (Host host = 1; host <= hosts_.size(); ++host) {
    absl::Status status = RunTool({kIp, "link", "set", CableOf(host), "master", kBridge});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<NetworkLab::Traffic> NetworkLab::TrafficOf(Host host) const {
  // sysfs would show another network's devices: that of whoever mounted it.
  std::ifstream devices("/proc/thread-self/net/dev");
  const std::string wanted = CableOf(host) + ":";
  std::string line;
  while (std::getline(devices, line)) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 10 || words[0] != wanted) continue;
    Traffic traffic;
    if (absl::SimpleAtoi(words[1], &traffic.sent) &&
        absl::SimpleAtoi(words[9], &traffic.received)) {
      return traffic;
    }
  }
  return MakeError(ErrorKind::kNotFound, absl::StrCat("no counters of host ", host));
}

}  // namespace packice
