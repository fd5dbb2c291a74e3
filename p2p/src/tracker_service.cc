#include "tracker_service.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc_credentials.h"
#include "grpc_error.h"
#include "packice/core/error.h"
#include "packice/core/random.h"
#include "tracker_request.h"
#include "tracker_watch.h"

namespace packice {
namespace {

// Of the work that is due, under the lock at one go: about a millisecond.
constexpr size_t kSweepAtOnce = 2000;

uint64_t SeedOf(const TrackerOptions& options) {
  if (options.seed != 0) return options.seed;
  uint8_t bytes[sizeof(uint64_t)];
  RandomSource::System().Fill(absl::MakeSpan(bytes));
  uint64_t seed = 0;
  for (uint8_t byte : bytes) seed = seed << 8 | byte;
  return seed;
}

TrackerTableOptions TableOptions(const TrackerOptions& options) {
  TrackerTableOptions table;
  table.interval = options.interval;
  table.origin_grants = options.origin_grants;
  table.origin_grant = options.origin_grant;
  table.max_holdings = options.max_holdings;
  table.max_holdings_of_node = options.max_holdings_of_node;
  table.seed = SeedOf(options);
  return table;
}

}  // namespace

TrackerService::TrackerService(const TrackerOptions& options)
    : token_(options.token),
      clock_(*options.clock),
      started_(clock_.Now()),
      table_(TableOptions(options)) {}

TrackerService::~TrackerService() = default;

absl::Status TrackerService::Admit(const grpc::CallbackServerContext& context) const {
  if (token_.empty()) return absl::OkStatus();
  const auto sent = context.client_metadata().equal_range(kTokenKey);
  const bool one = sent.first != sent.second && std::next(sent.first) == sent.second;
  if (one && TokenMatches({sent.first->second.data(), sent.first->second.size()}, token_)) {
    return absl::OkStatus();
  }
  return MakeError(ErrorKind::kPermissionDenied,
                   "this tracker wants its token: start the node with the fleet's");
}

template <typename Call>
grpc::ServerUnaryReactor* TrackerService::Answer(grpc::CallbackServerContext* context, Call call) {
  absl::Status status = Admit(*context);
  Watches told;
  if (status.ok()) {
    MutexLock lock(mutex_);
    // Whoever has given it up sends it again, and may have sent it already: it must not come last.
    status = context->IsCancelled() ? MakeError(ErrorKind::kUnavailable, "the call was given up")
                                    : call();
    told = HandOutChanges();
  }
  for (const auto& watch : told) watch->Write();
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status, *context));
  return reactor;
}

grpc::ServerUnaryReactor* TrackerService::Announce(grpc::CallbackServerContext* context,
                                                   const tracker::v1::AnnounceRequest* request,
                                                   tracker::v1::AnnounceResponse* response) {
  return Answer(context, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto answer = table_.Announce(*request, clock_.Now());
    if (!answer.ok()) return answer.status();
    *response = *std::move(answer);
    ++stats_.announces;
    stats_.announced_objects += static_cast<uint64_t>(request->holdings_size());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* TrackerService::Withdraw(grpc::CallbackServerContext* context,
                                                   const tracker::v1::WithdrawRequest* request,
                                                   tracker::v1::WithdrawResponse*) {
  return Answer(context, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return table_.Withdraw(*request, clock_.Now());
  });
}

grpc::ServerUnaryReactor* TrackerService::Locate(grpc::CallbackServerContext* context,
                                                 const tracker::v1::LocateRequest* request,
                                                 tracker::v1::LocateResponse* response) {
  return Answer(context, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto answer = table_.Locate(*request, clock_.Now());
    if (!answer.ok()) return answer.status();
    *response = *std::move(answer);
    ++stats_.locates;
    if (response->holders_size() > 0) ++stats_.located;
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* TrackerService::Report(grpc::CallbackServerContext* context,
                                                 const tracker::v1::ReportRequest* request,
                                                 tracker::v1::ReportResponse*) {
  return Answer(context, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++stats_.reports;
    return table_.Report(*request, clock_.Now());
  });
}

grpc::ServerUnaryReactor* TrackerService::Stats(grpc::CallbackServerContext* context,
                                                const tracker::v1::StatsRequest*,
                                                tracker::v1::StatsResponse* response) {
  const absl::Status status = Admit(*context);
  if (status.ok()) {
    const TrackerStats stats = Count();
    response->set_nodes(stats.nodes);
    response->set_objects(stats.objects);
    response->set_holdings(stats.holdings);
    response->set_watches(stats.watches);
    response->set_origin_grants(stats.origin_grants);
    response->set_announces(stats.announces);
    response->set_announced_objects(stats.announced_objects);
    response->set_locates(stats.locates);
    response->set_located(stats.located);
    response->set_reports(stats.reports);
    response->set_expired_nodes(stats.expired_nodes);
    response->set_uptime_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(stats.uptime)));
  }
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status, *context));
  return reactor;
}

grpc::ServerWriteReactor<tracker::v1::WatchResponse>* TrackerService::Watch(
    grpc::CallbackServerContext* context, const tracker::v1::WatchRequest* request) {
  absl::Status status = Admit(*context);
  if (status.ok()) status = Check(*request);
  std::shared_ptr<TrackerWatch> watch;
  {
    MutexLock lock(mutex_);
    if (status.ok() && draining_) {
      status = MakeError(ErrorKind::kUnavailable, "this tracker is about to end");
    }
    if (status.ok() && admitted_watches_ >= kMaxWatches) {
      status = MakeError(ErrorKind::kCapacity, absl::StrCat("there are ", kMaxWatches,
                                                            " watches of this tracker already"));
    }
    watch = std::make_shared<TrackerWatch>(
        *this, *context, status.ok() ? *request : tracker::v1::WatchRequest(), next_watch_, status);
    if (status.ok()) ++admitted_watches_;
    // Refused ones too live here until gRPC has done with them.
    watches_.emplace(next_watch_++, watch);
    table_.KeepChanges(true);
  }
  watch->Start();
  return watch.get();
}

TrackerService::Watches TrackerService::HandOutChanges() {
  Watches told;
  std::vector<TrackerTable::Change> changes = table_.TakeChanges();
  if (changes.empty()) return told;
  for (const auto& [number, watch] : watches_) {
    bool concerned = false;
    for (const TrackerTable::Change& change : changes) {
      if (!absl::StartsWith(change.object_id, watch->prefix())) continue;
      watch->Push(change);
      concerned = true;
    }
    if (concerned) told.push_back(watch);
  }
  return told;
}

void TrackerService::Forget(TrackerWatch* watch) {
  std::shared_ptr<TrackerWatch> last;  // dies without the lock
  MutexLock lock(mutex_);
  const auto found = watches_.find(watch->number());
  last = std::move(found->second);
  if (last->admitted()) --admitted_watches_;
  watches_.erase(found);
  if (watches_.empty()) table_.KeepChanges(false);
}

TrackerStats TrackerService::Count() const {
  MutexLock lock(mutex_);
  TrackerStats stats = stats_;
  const TrackerTable::Counts counts = table_.counts();
  stats.nodes = counts.nodes;
  stats.objects = counts.objects;
  stats.holdings = counts.holdings;
  stats.origin_grants = counts.origin_grants;
  stats.expired_nodes = counts.expired_nodes;
  stats.watches = watches_.size();
  stats.uptime = clock_.Now() - started_;
  return stats;
}

void TrackerService::Sweep() {
  for (bool more = true; more;) {
    Watches told;
    {
      MutexLock lock(mutex_);
      more = table_.Sweep(clock_.Now(), kSweepAtOnce);
      told = HandOutChanges();
    }
    for (const auto& watch : told) watch->Write();
  }
}

void TrackerService::EndWatches() {
  Watches watches;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    for (const auto& [number, watch] : watches_) watches.push_back(watch);
  }
  for (const auto& watch : watches) {
    watch->End(MakeError(ErrorKind::kUnavailable, "this tracker is about to end"));
  }
}

}  // namespace packice
