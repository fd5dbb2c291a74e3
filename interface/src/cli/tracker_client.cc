#include "cli/tracker_client.h"

#include <cstdlib>
#include <utility>

#include "cli/swarm_spec.h"
#include "cli/token.h"

namespace packice::cli {

absl::StatusOr<std::unique_ptr<TrackerDirectory>> DialTracker(const TrackerAccess& access) {
  if (const auto host = HostOf(access.address, "--tracker"); !host.ok()) return host.status();
  TrackerDirectoryOptions options;
  options.trackers = {access.address};
  options.tls = {access.tls_cert, access.tls_key, access.tls_ca};
  if (!access.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(access.token_file);
    if (!token.ok()) return token.status();
    options.token = *std::move(token);
  } else if (const char* const token = std::getenv("PACKICE_TOKEN")) {
    options.token = token;
  }
  return TrackerDirectory::Make(std::move(options));
}

}  // namespace packice::cli
