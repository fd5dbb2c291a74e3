#include <glog/logging.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/log.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/token.h"
#include "packice/p2p/tracker_server.h"
#include "packice/transport/status_server.h"

namespace packice::cli {
namespace {

absl::StatusOr<TrackerOptions> OptionsOf(const TrackerArgs& args) {
  TrackerOptions options;
  options.listen = args.listen;
  options.insecure = args.insecure;
  options.tls = {args.access.tls_cert, args.access.tls_key, args.access.tls_ca};
  options.interval = args.interval;
  options.origin_grants = args.origin_grants;
  options.log = [](absl::string_view line) { LOG(WARNING) << line; };
  if (args.access.token_file.empty()) return options;
  absl::StatusOr<std::string> token = ReadToken(args.access.token_file);
  if (!token.ok()) return token.status();
  options.token = *std::move(token);
  if (IsOpenToOthers(args.access.token_file)) {
    LOG(WARNING) << "other users may read the token file " << args.access.token_file;
  }
  return options;
}

}  // namespace

absl::Status Tracker(const TrackerArgs& args) {
  StopSignals signals;
  StartLog(args.verbosity);
  absl::StatusOr<TrackerOptions> options = OptionsOf(args);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::unique_ptr<TrackerServer>> tracker =
      TrackerServer::Start(*std::move(options));
  if (!tracker.ok()) return tracker.status();
  std::string addresses = (*tracker)->address();

  std::unique_ptr<StatusServer> status;
  if (args.metrics_port.has_value()) {
    const auto metrics = [&server = **tracker] { return server.MetricsText(); };
    const auto health = [] { return std::string("{\"status\":\"ok\"}\n"); };
    auto started = StatusServer::Start(args.metrics_host, *args.metrics_port,
                                       {{"/metrics", StatusServer::kMetricsType, metrics},
                                        {"/healthz", "application/json", health}});
    if (!started.ok()) return started.status();
    status = *std::move(started);
    absl::StrAppend(&addresses, " ", status->url());
  }

  LOG(INFO) << "packice " << PACKICE_VERSION << " tracker ready on " << addresses;
  absl::Status told = Print(absl::StrCat("packice tracker on ", addresses, "\n"));
  if (told.ok()) told = FlushOutput();
  if (!told.ok()) return told;

  const int number = signals.Wait();
  LOG(INFO) << "draining, for at most " << absl::FormatDuration(args.grace) << ": "
            << strsignal(number);
  (*tracker)->Drain(args.grace);
  LOG(INFO) << "stopped";
  return absl::OkStatus();
}

}  // namespace packice::cli
