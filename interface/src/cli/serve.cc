#include <glog/logging.h>
#include <sys/resource.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/event_log.h"
#include "cli/log.h"
#include "cli/node.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/tiers.h"

namespace packice::cli {
namespace {

// Every connection is a descriptor, and so is every large object in memory: take all that may be
// had.
rlim_t RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace

absl::Status Serve(const ServeArgs& args) {
  const absl::StatusOr<std::vector<TierSpec>> tiers = TiersOf(args);
  if (!tiers.ok()) return tiers.status();
  StopSignals signals;
  StartLog(args.verbosity);
  const rlim_t descriptors = RaiseDescriptorLimit();

  std::shared_ptr<EventRing> events;
  if (args.events > 0) {
    EventRingOptions options;
    options.capacity = args.events;
    events = std::make_shared<EventRing>(options);
  }
  EventSink& kept = events != nullptr ? *events : EventSink::Null();
  EventLog logged(kept);
  // A log line costs on every request; without a reader it is left out.
  EventSink& sink = args.verbosity > 0 ? logged : kept;
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(args, *tiers, sink, events);
  if (!node.ok()) return node.status();

  const std::string& addresses = (*node)->addresses();
  LOG(INFO) << "ready on " << addresses << "; " << args.threads << " threads and at most "
            << args.max_connections << " connections each, " << descriptors << " descriptors";
  absl::Status told =
      Print(absl::StrCat("packice serving ", ImplOf(*tiers), " on ", addresses, "\n"));
  if (told.ok()) told = FlushOutput();
  if (!told.ok()) return told;

  const int number = signals.Wait();
  LOG(INFO) << "draining, for at most " << absl::FormatDuration(args.grace) << ": "
            << strsignal(number);
  const absl::Status drained = (*node)->Drain(args.grace, args.flush_grace);
  LOG(INFO) << (drained.ok() ? "stopped" : "stopped; objects that only memory had are lost");
  return drained;
}

}  // namespace packice::cli
