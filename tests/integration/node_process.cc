#include "node_process.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_server.h"

namespace packice {
namespace {

// A user that no other process is, because the kernel counts what a user has in flight.
uid_t UserOfOnesOwn() { return static_cast<uid_t>(20000 + getpid() % 40000); }

void LimitDescriptors(size_t count) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (count > 0) limit.rlim_max = count;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Run(const std::vector<std::string>& arguments) {
  const auto number = [&](size_t i) { return std::strtoull(arguments[i].c_str(), nullptr, 10); };
  UdsServerOptions options;
  options.path = arguments[0];
  options.version = "test";
  options.max_connections = number(1);
  options.send_timeout = absl::Milliseconds(number(2));
  LocalPeerOptions local;
  if (number(3) > 0) local.capacity = number(3);
  LimitDescriptors(number(4));
  const uid_t user = UserOfOnesOwn();
  if (number(5) != 0 && geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0)) {
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // which another uid has undone
  // Before any thread starts, so that none of them gets it.
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, nullptr);

  const auto peer = MakeMemoryPeer(local);
  auto server = UdsServer::Start(*peer, options);
  const auto outcome = server.ok() ? "ready" : InfoOf(KindOf(server.status())).name;
  std::printf("%s\n", std::string(outcome).c_str());
  std::fflush(stdout);
  if (!server.ok()) return InfoOf(KindOf(server.status())).exit_code;
  int signal_number;
  sigwait(&terminate, &signal_number);
  (*server)->Drain(absl::Seconds(30));
  return 0;
}

const Role kNode("node", Run);

}  // namespace

NodeProcess::NodeProcess(const NodeFlags& flags)
    : process_(ChildProcess::Start("node",
                                   {flags.path, absl::StrCat(flags.max_connections),
                                    absl::StrCat(absl::ToInt64Milliseconds(flags.send_timeout)),
                                    absl::StrCat(flags.capacity), absl::StrCat(flags.descriptors),
                                    flags.unprivileged ? "1" : "0"})) {}

const std::string& NodeProcess::outcome() {
  if (outcome_.empty()) outcome_ = process_.ReadLine();
  return outcome_;
}

int64_t NodeProcess::PrivateBytes() const {
  std::ifstream status(absl::StrCat("/proc/", process_.pid(), "/status"));
  std::string word;
  while (status >> word) {
    int64_t kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib * 1024;
  }
  return -1;
}

}  // namespace packice
