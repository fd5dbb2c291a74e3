#include "node_process.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
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

// "name=value" for everything, because there is so much of it.
class Arguments {
 public:
  explicit Arguments(const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
      const size_t equals = argument.find('=');
      values_[argument.substr(0, equals)] = argument.substr(equals + 1);
    }
  }

  const std::string& Text(const std::string& name) const { return values_.at(name); }
  uint64_t Number(const std::string& name) const {
    return std::strtoull(Text(name).c_str(), nullptr, 10);
  }
  absl::Duration Time(const std::string& name) const {
    return absl::Milliseconds(static_cast<int64_t>(Number(name)));
  }

 private:
  std::map<std::string, std::string> values_;
};

std::vector<std::string> ArgumentsOf(const NodeFlags& flags) {
  const auto milliseconds = [](absl::Duration time) { return absl::ToInt64Milliseconds(time); };
  return {absl::StrCat("path=", flags.path),
          absl::StrCat("max_connections=", flags.max_connections),
          absl::StrCat("send_timeout=", milliseconds(flags.send_timeout)),
          absl::StrCat("capacity=", flags.capacity),
          absl::StrCat("descriptors=", flags.descriptors),
          absl::StrCat("unprivileged=", flags.unprivileged ? 1 : 0),
          absl::StrCat("data=", flags.data),
          absl::StrCat("http=", flags.http ? 1 : 0),
          absl::StrCat("tls_cert=", flags.tls_cert),
          absl::StrCat("tls_key=", flags.tls_key),
          absl::StrCat("max_in_flight=", flags.max_in_flight),
          absl::StrCat("idle_timeout=", milliseconds(flags.idle_timeout)),
          absl::StrCat("header_timeout=", milliseconds(flags.header_timeout)),
          absl::StrCat("stall_timeout=", milliseconds(flags.stall_timeout))};
}

UdsServerOptions UdsOptions(const Arguments& arguments) {
  UdsServerOptions options;
  options.path = arguments.Text("path");
  options.version = "test";
  options.max_connections = arguments.Number("max_connections");
  options.send_timeout = arguments.Time("send_timeout");
  return options;
}

HttpServerOptions HttpOptions(const Arguments& arguments) {
  HttpServerOptions options;
  options.port = 0;
  options.version = "test";
  options.tls_cert = arguments.Text("tls_cert");
  options.tls_key = arguments.Text("tls_key");
  options.max_connections = arguments.Number("max_connections");
  options.max_in_flight = arguments.Number("max_in_flight");
  options.idle_timeout = arguments.Time("idle_timeout");
  options.header_timeout = arguments.Time("header_timeout");
  options.stall_timeout = arguments.Time("stall_timeout");
  return options;
}

absl::StatusOr<std::unique_ptr<Peer>> MakePeer(const Arguments& arguments) {
  absl::optional<uint64_t> capacity;
  if (arguments.Number("capacity") > 0) capacity = arguments.Number("capacity");
  if (arguments.Text("data").empty()) {
    LocalPeerOptions options;
    options.capacity = capacity;
    // Whoever counts descriptors finds none that are only kept ready.
    MemoryBlobStoreOptions memory;
    memory.idle_release = absl::ZeroDuration();
    return MakeMemoryPeer(options, memory);
  }
  FileSystemPeerOptions options;
  options.directory = arguments.Text("data");
  options.capacity = capacity;
  return FileSystemPeer::Open(options);
}

// The node, between its start and its end.
struct Node {
  std::unique_ptr<Peer> peer;
  std::unique_ptr<UdsServer> uds;
  std::unique_ptr<HttpServer> http;

  absl::Status Start(const Arguments& arguments) {
    absl::StatusOr<std::unique_ptr<Peer>> made = MakePeer(arguments);
    if (!made.ok()) return made.status();
    peer = *std::move(made);
    const auto metrics = std::make_shared<NodeMetrics>();
    UdsServerOptions uds_options = UdsOptions(arguments);
    uds_options.metrics = metrics;
    auto uds_server = UdsServer::Start(*peer, uds_options);
    if (!uds_server.ok()) return uds_server.status();
    uds = *std::move(uds_server);
    if (arguments.Number("http") == 0) return absl::OkStatus();
    HttpServerOptions http_options = HttpOptions(arguments);
    http_options.metrics = metrics;
    auto http_server = HttpServer::Start(*peer, http_options);
    if (!http_server.ok()) return http_server.status();
    http = *std::move(http_server);
    return absl::OkStatus();
  }
  void Drain() const {
    if (http != nullptr) http->Drain(absl::Seconds(30));
    uds->Drain(absl::Seconds(30));
  }
};

int Run(const std::vector<std::string>& texts) {
  const Arguments arguments(texts);
  LimitDescriptors(arguments.Number("descriptors"));
  const uid_t user = UserOfOnesOwn();
  if (arguments.Number("unprivileged") != 0 && geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0)) {
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // which another uid has undone
  // Before any thread starts, so that none of them gets it.
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, nullptr);

  Node node;
  const absl::Status started = node.Start(arguments);
  const auto outcome = started.ok() ? "ready" : InfoOf(KindOf(started)).name;
  std::printf("%s\n", std::string(outcome).c_str());
  std::printf("%d\n", node.http != nullptr ? node.http->port() : 0);
  std::fflush(stdout);
  if (!started.ok()) return InfoOf(KindOf(started)).exit_code;
  int signal_number;
  sigwait(&terminate, &signal_number);
  node.Drain();
  return 0;
}

const Role kNode("node", Run);

}  // namespace

NodeProcess::NodeProcess(const NodeFlags& flags)
    : process_(ChildProcess::Start("node", ArgumentsOf(flags))) {}

const std::string& NodeProcess::outcome() {
  if (outcome_.empty()) {
    outcome_ = process_.ReadLine();
    int port = 0;
    if (absl::SimpleAtoi(process_.ReadLine(), &port)) http_port_ = static_cast<uint16_t>(port);
  }
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
