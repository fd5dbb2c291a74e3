#include "cli/swarm_extension.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/prefetch_job.h"
#include "cli/swarm_json.h"
#include "cli/swarm_metrics.h"
#include "packice/core/error.h"
#include "packice/transport/json_object.h"

namespace packice::cli {
namespace {

constexpr size_t kMaxIds = 10000;

absl::Status Invalid(absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument, message);
}

// Nothing where it is left out.
absl::StatusOr<absl::optional<ObjectId>> IdOf(const JsonValue& request) {
  const JsonValue& id = request["object_id"];
  if (id.is_null()) return absl::optional<ObjectId>();
  if (id.type() != JsonValue::Type::kString) return Invalid("\"object_id\" must be a string");
  absl::StatusOr<ObjectId> parsed = ObjectId::Parse(id.text());
  if (!parsed.ok()) return parsed.status();
  return absl::make_optional(*std::move(parsed));
}

absl::StatusOr<ObjectId> NeedId(const JsonValue& request) {
  absl::StatusOr<absl::optional<ObjectId>> id = IdOf(request);
  if (!id.ok()) return id.status();
  if (!id->has_value()) return Invalid("\"object_id\" must be given");
  return **std::move(id);
}

absl::StatusOr<std::vector<ObjectId>> IdsOf(const JsonValue& request) {
  const JsonValue& list = request["ids"];
  if (!list.is_null() && list.type() != JsonValue::Type::kList) {
    return Invalid("\"ids\" must be a list of strings");
  }
  if (list.list().size() > kMaxIds) {
    return Invalid(absl::StrCat("\"ids\" must have at most ", kMaxIds, " entries"));
  }
  std::vector<ObjectId> ids;
  for (const JsonValue& entry : list.list()) {
    if (entry.type() != JsonValue::Type::kString) return Invalid("\"ids\" must hold strings");
    absl::StatusOr<ObjectId> id = ObjectId::Parse(entry.text());
    if (!id.ok()) return id.status();
    ids.push_back(*std::move(id));
  }
  absl::StatusOr<absl::optional<ObjectId>> one = IdOf(request);
  if (!one.ok()) return one.status();
  if (one->has_value()) ids.push_back(**std::move(one));
  return ids;
}

template <typename T>
std::vector<std::string> EachAs(std::string (*json)(const T&), const std::vector<T>& values) {
  std::vector<std::string> list;
  for (const T& value : values) list.push_back(json(value));
  return list;
}

std::string OutcomeJson(const PrefetchJob::Outcome& outcome) {
  std::vector<std::string> failed;
  for (const auto& [id, failure] : outcome.failures) {
    failed.push_back(
        JsonObject().Text("object_id", id.bytes()).Json("error", ErrorJson(failure)).ToText());
  }
  return JsonObject()
      .Integer("objects", outcome.objects)
      .Integer("fetched", outcome.fetched)
      .List("failed", failed)
      .ToText();
}

// What this node itself has is not in a directory's answer.
void AddSelf(const Member& self, Location& location) {
  Holder here;
  here.address = self.address;
  here.zone = self.zone;
  here.load = self.load;
  here.complete = true;
  here.pieces_held = location.pieces;
  location.holders.insert(location.holders.begin(), std::move(here));
}

}  // namespace

// Calls that go on with several objects.
struct SwarmExtension::Jobs {
  void Add(const std::shared_ptr<PrefetchJob>& job) {
    MutexLock lock(mutex);
    if (stopped) job->Stop();
    running.insert(job);
  }
  void Remove(OperationId operation) {
    MutexLock lock(mutex);
    for (auto it = running.begin(); it != running.end();) {
      const auto job = it->lock();
      it = job == nullptr || job->operation() == operation ? running.erase(it) : std::next(it);
    }
  }
  // All of them where no operation is given.
  void Stop(absl::optional<OperationId> operation) {
    MutexLock lock(mutex);
    stopped = stopped || !operation;
    for (const auto& each : running) {
      const auto job = each.lock();
      if (job != nullptr && (!operation || job->operation() == *operation)) job->Stop();
    }
  }

  Mutex mutex;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  std::set<std::weak_ptr<PrefetchJob>, std::owner_less<>> running ABSL_GUARDED_BY(mutex);
};

SwarmExtension::SwarmExtension() : view_(nullptr), jobs_(std::make_shared<Jobs>()) {}
SwarmExtension::SwarmExtension(SwarmView& view) : view_(&view), jobs_(std::make_shared<Jobs>()) {}
SwarmExtension::~SwarmExtension() { Stop(); }

void SwarmExtension::Stop() { jobs_->Stop(absl::nullopt); }

const std::vector<std::string>& SwarmExtension::Ops() const {
  static const auto& ops =
      *new std::vector<std::string>{"members", "locate", "transfers", "prefetch", "remove"};
  return ops;
}

const std::vector<NodeExtension::Route>& SwarmExtension::Routes() const {
  static const auto& routes = *new std::vector<Route>{
      {false, "/swarm/members", "members"},
      {false, "/swarm/holders", "locate", "object_id"},
      {false, "/swarm/transfers", "transfers"},
      {false, "/swarm/transfers", "transfers", "object_id"},
      {true, "/swarm/prefetch", "prefetch"},
      {true, "/swarm/remove", "remove"},
  };
  return routes;
}

void SwarmExtension::Call(ExtensionRequest request, OperationId operation, Answered done) {
  if (view_ == nullptr) {
    return std::move(done)(MakeError(
        ErrorKind::kUnsupported,
        "this node is in no swarm; start it with --p2p-listen and --tracker or --gossip-listen"));
  }
  const absl::StatusOr<JsonValue> json = JsonValue::Parse(request.json);
  if (!json.ok()) return std::move(done)(json.status());
  if (request.op == "members") return Members(std::move(done));
  if (request.op == "locate") return Locate(*json, std::move(done));
  if (request.op == "transfers") return Transfers(*json, std::move(done));
  if (request.op == "prefetch") return Prefetch(*json, request.wait, operation, std::move(done));
  if (request.op == "remove") return Remove(*json, std::move(done));
  std::move(done)(Invalid(absl::StrCat("there is no operation \"", request.op, "\"")));
}

void SwarmExtension::Cancel(OperationId operation) {
  if (view_ == nullptr) return;
  jobs_->Stop(operation);
  view_->Cancel(operation);
}

void SwarmExtension::Members(Answered done) {
  view_->Members([done = std::move(done)](absl::StatusOr<std::vector<Member>> members) mutable {
    if (!members.ok()) return std::move(done)(members.status());
    std::move(done)(JsonObject().List("members", EachAs(&MemberJson, *members)).ToText());
  });
}

void SwarmExtension::Locate(const JsonValue& request, Answered done) {
  absl::StatusOr<ObjectId> id = NeedId(request);
  if (!id.ok()) return std::move(done)(id.status());
  LocateRequest locate;
  locate.object_id = *id;
  locate.max = LocateRequest::kLimit;
  view_->Locate(std::move(locate), [view = view_, id = *id, done = std::move(done)](
                                       absl::StatusOr<Location> location) mutable {
    view->StatHere(id, [view, id, location = std::move(location),
                        done = std::move(done)](absl::StatusOr<ObjectInfo> here) mutable {
      if (here.ok() && here->state == ObjectState::kSealed) {
        // It is here, whatever others know.
        if (!location.ok()) location = Location();
        if (location->digest.empty()) location->size = here->size();
        AddSelf(view->Self(), *location);
      }
      if (!location.ok()) return std::move(done)(location.status());
      if (location->holders.empty()) {
        return std::move(done)(
            MakeError(ErrorKind::kNotFound, absl::StrCat("nobody holds ", id.ToQuoted())));
      }
      std::move(done)(LocationJson(id, *location));
    });
  });
}

void SwarmExtension::Transfers(const JsonValue& request, Answered done) {
  absl::StatusOr<absl::optional<ObjectId>> id = IdOf(request);
  if (!id.ok()) return std::move(done)(id.status());
  using Found = absl::StatusOr<std::vector<TransferInfo>>;
  view_->Transfers(*id, [view = view_, id = *id, done = std::move(done)](Found transfers) mutable {
    if (!transfers.ok()) return std::move(done)(transfers.status());
    view->Downloads([id = std::move(id), transfers = *std::move(transfers), done = std::move(done)](
                        absl::StatusOr<std::vector<DownloadInfo>> downloads) mutable {
      if (!downloads.ok()) return std::move(done)(downloads.status());
      const auto other = [&](const DownloadInfo& each) { return id && each.object_id != *id; };
      downloads->erase(std::remove_if(downloads->begin(), downloads->end(), other),
                       downloads->end());
      std::move(done)(JsonObject()
                          .List("transfers", EachAs(&TransferJson, transfers))
                          .List("downloads", EachAs(&DownloadJson, *downloads))
                          .ToText());
    });
  });
}

void SwarmExtension::Prefetch(const JsonValue& request, absl::Duration wait, OperationId operation,
                              Answered done) {
  absl::StatusOr<std::vector<ObjectId>> ids = IdsOf(request);
  if (!ids.ok()) return std::move(done)(ids.status());
  const JsonValue& prefix = request["prefix"];
  if (ids->empty() == prefix.is_null()) {
    return std::move(done)(
        Invalid("give either \"object_id\" or \"ids\", or the \"prefix\" of ids"));
  }
  if (!prefix.is_null() && prefix.type() != JsonValue::Type::kString) {
    return std::move(done)(Invalid("\"prefix\" must be a string"));
  }
  const Instant deadline =
      wait > absl::ZeroDuration() ? Clock::System().Now() + wait : absl::InfiniteDuration();
  const bool single = ids->size() == 1;
  auto job =
      std::make_shared<PrefetchJob>(*view_, operation, deadline,
                                    [jobs = jobs_, operation, single, done = std::move(done)](
                                        absl::StatusOr<PrefetchJob::Outcome> outcome) mutable {
                                      jobs->Remove(operation);
                                      if (!outcome.ok()) return std::move(done)(outcome.status());
                                      if (single && !outcome->failures.empty()) {
                                        return std::move(done)(outcome->failures.front().second);
                                      }
                                      std::move(done)(OutcomeJson(*outcome));
                                    });
  jobs_->Add(job);
  if (prefix.is_null()) {
    job->Fetch(*std::move(ids));
  } else {
    job->FetchPrefix(std::string(prefix.text()));
  }
}

void SwarmExtension::Remove(const JsonValue& request, Answered done) {
  absl::StatusOr<ObjectId> id = NeedId(request);
  if (!id.ok()) return std::move(done)(id.status());
  using Removals = absl::StatusOr<std::vector<SwarmPeer::Removal>>;
  view_->DiscardEverywhere(*id, [id = *id, done = std::move(done)](Removals removals) mutable {
    if (!removals.ok()) return std::move(done)(removals.status());
    if (removals->empty()) {
      return std::move(done)(
          MakeError(ErrorKind::kNotFound, absl::StrCat("nobody holds ", id.ToQuoted())));
    }
    const auto removed = std::count_if(removals->begin(), removals->end(),
                                       [](const auto& each) { return each.result.ok(); });
    std::move(done)(JsonObject()
                        .Text("object_id", id.bytes())
                        .Integer("removed", static_cast<uint64_t>(removed))
                        .List("holders", EachAs(&RemovalJson, *removals))
                        .ToText());
  });
}

std::string SwarmExtension::StatsJson() const {
  if (view_ == nullptr) return "";
  return JsonObject().Json("swarm", SwarmStatsJson(view_->Self(), view_->Figures())).ToText();
}

std::string SwarmExtension::MetricsText() const {
  if (view_ == nullptr) return "";
  return absl::StrCat(SwarmMetricsText(view_->Figures()), view_->DirectoryMetrics());
}

}  // namespace packice::cli
