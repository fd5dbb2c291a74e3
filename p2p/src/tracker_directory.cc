#include "packice/p2p/tracker_directory.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "grpc_credentials.h"
#include "packice/core/error.h"
#include "tracker_directory_impl.h"

namespace packice {

absl::StatusOr<std::unique_ptr<TrackerDirectory>> TrackerDirectory::Make(
    TrackerDirectoryOptions options) {
  if (options.trackers.empty()) {
    return MakeError(ErrorKind::kInvalidArgument, "no tracker is named: give host:port of one");
  }
  // In one order at every node, and each once.
  absl::c_sort(options.trackers);
  options.trackers.erase(std::unique(options.trackers.begin(), options.trackers.end()),
                         options.trackers.end());
  for (const std::string& tracker : options.trackers) {
    const size_t colon = tracker.rfind(':');
    if (colon != std::string::npos && colon > 0 && colon + 1 < tracker.size()) continue;
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("\"", tracker, "\" is no tracker: give host:port"));
  }
  if (options.call_timeout <= absl::ZeroDuration() || options.batch_delay < absl::ZeroDuration()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "the time for a call must be positive, and no delay negative");
  }
  auto credentials = ChannelCredentialsOf(options.tls);
  if (!credentials.ok()) return credentials.status();
  return std::unique_ptr<TrackerDirectory>(
      new TrackerDirectory(std::make_unique<Impl>(std::move(options), *std::move(credentials))));
}

TrackerDirectory::TrackerDirectory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrackerDirectory::~TrackerDirectory() = default;

void TrackerDirectory::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  impl_->Locate(std::move(request), std::move(done));
}
void TrackerDirectory::Announce(const Holding& holding) { impl_->Announce(holding); }
void TrackerDirectory::Withdraw(const ObjectId& object_id) { impl_->Withdraw(object_id); }
void TrackerDirectory::Report(const ObjectId& object_id, const std::string& holder,
                              HolderFault fault) {
  impl_->Report(object_id, holder, fault);
}
std::unique_ptr<Directory::Watch> TrackerDirectory::WatchPrefix(const std::string& prefix,
                                                                OnChange on_change) {
  return impl_->WatchPrefix(prefix, std::move(on_change));
}
void TrackerDirectory::List(const std::string& prefix, const std::string& after, size_t limit,
                            Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  impl_->List(prefix, after, limit, std::move(done));
}
absl::Status TrackerDirectory::Flush(absl::Duration patience) { return impl_->Flush(patience); }
absl::Status TrackerDirectory::Leave(absl::Duration patience) { return impl_->Leave(patience); }
std::vector<TrackerDirectory::TrackerState> TrackerDirectory::Trackers() {
  return impl_->Trackers();
}
std::string TrackerDirectory::MetricsText() const { return impl_->MetricsText(); }

}  // namespace packice
