// TrackerDirectory: watches, lists, and how its trackers are.
#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/latch.h"
#include "tracker_directory_impl.h"

namespace packice {
namespace {

using tracker::v1::StatsResponse;
using tracker::v1::WatchRequest;
using tracker::v1::WatchResponse;
using AsyncStub = tracker::v1::Tracker::StubInterface::async_interface;

class ClientWatch final : public Directory::Watch {
 public:
  explicit ClientWatch(std::shared_ptr<TrackerWatchClient> client) : client_(std::move(client)) {}
  ~ClientWatch() override { client_->End(); }

 private:
  const std::shared_ptr<TrackerWatchClient> client_;
};

TrackerStats Decode(const StatsResponse& response) {
  TrackerStats stats;
  stats.nodes = response.nodes();
  stats.objects = response.objects();
  stats.holdings = response.holdings();
  stats.watches = response.watches();
  stats.origin_grants = response.origin_grants();
  stats.announces = response.announces();
  stats.announced_objects = response.announced_objects();
  stats.locates = response.locates();
  stats.located = response.located();
  stats.reports = response.reports();
  stats.expired_nodes = response.expired_nodes();
  stats.uptime = absl::Milliseconds(static_cast<int64_t>(response.uptime_ms()));
  return stats;
}

}  // namespace

std::unique_ptr<Directory::Watch> TrackerDirectory::Impl::WatchPrefix(const std::string& prefix,
                                                                      OnChange on_change) {
  auto client = std::make_shared<TrackerWatchClient>(
      prefix, std::move(on_change),
      [this](absl::Duration wait, std::function<void()> run) { RunAfter(wait, std::move(run)); });
  client->Start(links_);
  return std::make_unique<ClientWatch>(std::move(client));
}

// Each id is known to two trackers, so the first of what all but one tell are the first of all.
struct TrackerDirectory::Impl::Listing {
  Mutex mutex;
  absl::btree_set<ObjectId> ids ABSL_GUARDED_BY(mutex);
  size_t waiting ABSL_GUARDED_BY(mutex) = 0;
  size_t failed ABSL_GUARDED_BY(mutex) = 0;
  absl::Status failure ABSL_GUARDED_BY(mutex);
  size_t limit = 0;
  Done<absl::StatusOr<std::vector<ObjectId>>> done;

  void Add(const WatchResponse& response) {
    MutexLock lock(mutex);
    for (const auto& change : response.changes()) {
      auto id = ObjectId::Parse(change.object_id());
      if (id.ok()) ids.insert(*std::move(id));
    }
    while (ids.size() > limit) ids.erase(std::prev(ids.end()));
  }
  void End(const absl::Status& status, size_t spare) {
    absl::StatusOr<std::vector<ObjectId>> answer;
    {
      MutexLock lock(mutex);
      if (!status.ok()) {
        failure = status;
        ++failed;
      }
      if (--waiting > 0) return;
      if (failed > spare) {
        answer = failure;
      } else {
        answer = std::vector<ObjectId>(ids.begin(), ids.end());
      }
    }
    std::move(done)(std::move(answer));
  }
};

void TrackerDirectory::Impl::List(const std::string& prefix, const std::string& after, size_t limit,
                                  Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  if (limit == 0) return std::move(done)(std::vector<ObjectId>());
  auto listing = std::make_shared<Listing>();
  {
    MutexLock lock(listing->mutex);
    listing->waiting = links_.size();
  }
  listing->limit = limit;
  listing->done = std::move(done);
  WatchRequest request;
  request.set_prefix(prefix);
  request.set_after(after);
  request.set_limit(static_cast<uint32_t>(std::min<size_t>(limit, ~uint32_t{0})));
  request.set_existing_only(true);
  for (const auto& link : links_) {
    link->Watch(
        request, options_.call_timeout,
        [listing](const WatchResponse& response) { listing->Add(response); },
        [listing, spare = Spare()](const absl::Status& status) { listing->End(status, spare); });
  }
}

std::vector<TrackerDirectory::TrackerState> TrackerDirectory::Impl::Trackers() {
  struct Answers {
    Mutex mutex;
    size_t waiting ABSL_GUARDED_BY(mutex) = 0;
    std::vector<TrackerStats> stats ABSL_GUARDED_BY(mutex);
    Latch all;
  };
  auto answers = std::make_shared<Answers>();
  {
    MutexLock lock(answers->mutex);
    answers->waiting = links_.size();
    answers->stats.resize(links_.size());
  }
  for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
    links_[tracker]->Call<tracker::v1::StatsRequest, StatsResponse>(
        &AsyncStub::Stats, {}, options_.call_timeout,
        [answers, tracker](const absl::StatusOr<StatsResponse>& response) {
          MutexLock lock(answers->mutex);
          if (response.ok()) answers->stats[tracker] = Decode(*response);
          if (--answers->waiting == 0) answers->all.Set();
        });
  }
  answers->all.Wait();
  std::vector<TrackerState> states;
  MutexLock lock(answers->mutex);
  for (size_t tracker = 0; tracker < links_.size(); ++tracker) {
    const TrackerLink::State state = links_[tracker]->state();
    states.push_back({links_[tracker]->address(), state.reachable, state.failure,
                      Now() - state.last_answer, answers->stats[tracker]});
  }
  return states;
}

std::string TrackerDirectory::Impl::MetricsText() const {
  std::string text =
      "# HELP packice_tracker_reachable Whether a tracker answered last.\n"
      "# TYPE packice_tracker_reachable gauge\n";
  for (const auto& link : links_) {
    absl::StrAppend(&text, "packice_tracker_reachable{tracker=\"", link->address(), "\"} ",
                    link->state().reachable ? 1 : 0, "\n");
  }
  const auto add = [&text](absl::string_view name, absl::string_view type, absl::string_view help,
                           uint64_t value) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name,
                    " ", value, "\n");
  };
  MutexLock lock(mutex_);
  add("packice_directory_holdings", "gauge", "Objects that are announced.", announcer_.holdings());
  add("packice_directory_announces_total", "counter", "Messages to trackers.", counters_.announces);
  add("packice_directory_announced_objects_total", "counter", "Holdings in them.",
      counters_.announced_objects);
  add("packice_directory_refused_objects_total", "counter",
      "Holdings that a tracker had no room for.", counters_.refused_objects);
  add("packice_directory_failed_announces_total", "counter", "Messages that no tracker answered.",
      counters_.failed_announces);
  add("packice_directory_locates_total", "counter", "Questions for holders.", counters_.locates);
  add("packice_directory_failed_locates_total", "counter", "Questions that nobody answered.",
      counters_.failed_locates);
  return text;
}

}  // namespace packice
