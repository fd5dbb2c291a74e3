#include <glog/logging.h>
#include <sys/resource.h>

#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/event_log.h"
#include "cli/memory_limit.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_server.h"

namespace packice::cli {
namespace {

void StartLog(int verbosity) {
  FLAGS_logtostderr = true;
  FLAGS_v = verbosity;
  google::InitGoogleLogging("packice");
}

// Every connection is a descriptor, and so is every large object: take all that may be had.
rlim_t RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

struct Capacity {
  uint64_t bytes;
  std::string reason;  // for the log
};

Capacity CapacityOf(const ServeArgs& args) {
  if (args.capacity.has_value()) return {*args.capacity, ""};
  const uint64_t memory = MemoryLimit();
  return {memory / 2, absl::StrCat(", half of the ", SizeText(memory), " this process may use")};
}

absl::StatusOr<std::unique_ptr<UdsServer>> StartServer(Peer& peer, const ServeArgs& args) {
  UdsServerOptions options;
  options.path = args.socket;
  options.threads = args.threads;
  options.max_connections = args.max_connections;
  options.version = PACKICE_VERSION;
  options.log = [](absl::string_view line) { LOG(WARNING) << line; };
  return UdsServer::Start(peer, options);
}

}  // namespace

absl::Status Serve(const ServeArgs& args) {
  StopSignals signals;
  StartLog(args.verbosity);
  const rlim_t descriptors = RaiseDescriptorLimit();
  const Capacity capacity = CapacityOf(args);
  LOG(INFO) << "packice " << PACKICE_VERSION << " starts: a " << args.impl << " node of "
            << SizeText(capacity.bytes) << capacity.reason << "; " << args.threads
            << " threads, at most " << args.max_connections << " connections and " << descriptors
            << " descriptors";

  EventLog events;
  LocalPeerOptions options;
  options.capacity = capacity.bytes;
  // Publishing costs on every request; without a reader it is left out.
  if (args.verbosity > 0) options.events = &events;
  const std::unique_ptr<LocalPeer> peer = MakeMemoryPeer(options);
  absl::StatusOr<std::unique_ptr<UdsServer>> server = StartServer(*peer, args);
  if (!server.ok()) return server.status();

  const std::string address = absl::StrCat("unix:", (*server)->path());
  LOG(INFO) << "ready on " << address;
  absl::Status told = Print(absl::StrCat("packice serving ", args.impl, " on ", address, "\n"));
  if (told.ok()) told = FlushOutput();
  if (!told.ok()) return told;

  const int number = signals.Wait();
  LOG(INFO) << "draining, for at most " << absl::FormatDuration(args.grace) << ": "
            << strsignal(number);
  (*server)->Drain(args.grace);
  server->reset();
  LOG(INFO) << "stopped";
  return absl::OkStatus();
}

}  // namespace packice::cli
