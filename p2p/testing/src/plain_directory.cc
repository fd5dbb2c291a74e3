#include "packice/p2p/testing/plain_directory.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "packice/core/error.h"

namespace packice {

struct PlainDirectoryFleet::Watcher {
  std::string prefix;
  Mutex mutex;  // held while the callback runs, so that a watch that has gone runs none
  bool ended ABSL_GUARDED_BY(mutex) = false;
  Directory::OnChange on_change ABSL_GUARDED_BY(mutex);

  void Tell(const DirectoryChange& change) {
    MutexLock lock(mutex);
    if (!ended) on_change(change);
  }
};

class PlainDirectoryFleet::View final : public Directory {
 public:
  View(PlainDirectoryFleet& fleet, std::string address, std::string zone)
      : fleet_(fleet), address_(std::move(address)), zone_(std::move(zone)) {}

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override {
    std::move(done)(fleet_.Locate(address_, zone_, request));
  }
  void Announce(const Holding& holding) override {
    const Held held{holding, zone_};
    fleet_.Change(address_, holding.object_id, &held);
    if (!holding.complete()) return;
    MutexLock lock(fleet_.mutex_);
    fleet_.grants_[holding.object_id].erase(address_);
  }
  void Withdraw(const ObjectId& object_id) override { fleet_.Change(address_, object_id, nullptr); }
  void Report(const ObjectId& object_id, const std::string&, HolderFault fault) override {
    if (fault != HolderFault::kOrigin) return;
    MutexLock lock(fleet_.mutex_);
    fleet_.grants_[object_id].erase(address_);
  }
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

 private:
  PlainDirectoryFleet& fleet_;
  const std::string address_;
  const std::string zone_;
};

std::unique_ptr<Directory> PlainDirectoryFleet::Join(const std::string& address,
                                                     const std::string& zone) {
  return std::make_unique<View>(*this, address, zone);
}

void PlainDirectoryFleet::Forget(const std::string& address) {
  std::vector<ObjectId> held;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, holders] : objects_) {
      if (holders.count(address)) held.push_back(id);
    }
  }
  for (const ObjectId& id : held) Change(address, id, nullptr);
}

void PlainDirectoryFleet::SetUnavailable(bool unavailable) {
  MutexLock lock(mutex_);
  unavailable_ = unavailable;
}

bool PlainDirectoryFleet::HeldWhole(const ObjectId& object_id) const {
  const auto found = objects_.find(object_id);
  return found != objects_.end() && absl::c_any_of(found->second, [](const auto& each) {
           return each.second.holding.complete();
         });
}

void PlainDirectoryFleet::Change(const std::string& address, const ObjectId& object_id,
                                 const Held* held) {
  std::vector<std::shared_ptr<Watcher>> watchers;
  DirectoryChange change{object_id, false};
  {
    MutexLock lock(mutex_);
    const bool before = HeldWhole(object_id);
    Holders& holders = objects_[object_id];
    holders.erase(address);
    if (held != nullptr) holders.emplace(address, *held);
    if (holders.empty()) objects_.erase(object_id);
    change.held = HeldWhole(object_id);
    if (change.held != before) watchers = watchers_;
  }
  for (const auto& watcher : watchers) {
    if (absl::StartsWith(object_id.bytes(), watcher->prefix)) watcher->Tell(change);
  }
}

// The content that was sealed last, told by one who holds it.
const PlainDirectoryFleet::Held* PlainDirectoryFleet::Counts(const Holders& holders) const {
  const Held* last = nullptr;
  for (const auto& [address, held] : holders) {
    if (held.holding.expires_at && *held.holding.expires_at <= clock_.WallTime()) continue;
    if (last == nullptr || last->holding.sealed_at < held.holding.sealed_at) last = &held;
  }
  return last;
}

absl::StatusOr<Location> PlainDirectoryFleet::Locate(const std::string& address,
                                                     const std::string& zone,
                                                     const LocateRequest& request) {
  MutexLock lock(mutex_);
  if (unavailable_) return MakeError(ErrorKind::kUnavailable, "the directory is out of reach");
  Location location;
  const auto found = objects_.find(request.object_id);
  if (found != objects_.end()) {
    if (const Held* counts = Counts(found->second)) {
      location.digest = counts->holding.digest;
      location.size = counts->holding.size;
      location.pieces = counts->holding.pieces;
    }
    for (const auto& [holder, held] : found->second) {
      if (held.holding.digest != location.digest || location.digest.empty()) continue;
      if (holder == address || absl::c_linear_search(request.exclude, holder)) continue;
      location.holders.push_back({holder, held.zone, 0, absl::ZeroDuration(),
                                  held.holding.pieces_held, held.holding.complete()});
    }
  }
  absl::c_stable_sort(location.holders, [&](const Holder& a, const Holder& b) {
    return std::make_tuple(!a.complete, a.zone != zone) <
           std::make_tuple(!b.complete, b.zone != zone);
  });
  if (location.holders.size() > request.max) location.holders.resize(request.max);
  if (location.digest.empty() && request.has_origin) {
    LetToOrigin(address, request.object_id, location);
  }
  return location;
}

void PlainDirectoryFleet::LetToOrigin(const std::string& address, const ObjectId& object_id,
                                      Location& location) {
  constexpr absl::Duration kGrant = absl::Seconds(60);
  auto& grants = grants_[object_id];
  for (auto grant = grants.begin(); grant != grants.end();) {
    grant = grant->second <= clock_.Now() ? grants.erase(grant) : std::next(grant);
  }
  if (grants.count(address) || grants.size() < origin_grants_) {
    grants[address] = clock_.Now() + kGrant;
    location.origin_grant = kGrant;
  } else {
    location.retry_after = absl::Milliseconds(50);
  }
}

std::unique_ptr<Directory::Watch> PlainDirectoryFleet::View::WatchPrefix(const std::string& prefix,
                                                                         OnChange on_change) {
  class Watching final : public Watch {
   public:
    Watching(PlainDirectoryFleet& fleet, std::shared_ptr<Watcher> watcher)
        : fleet_(fleet), watcher_(std::move(watcher)) {}
    ~Watching() override {
      {
        MutexLock lock(watcher_->mutex);
        watcher_->ended = true;
      }
      MutexLock lock(fleet_.mutex_);
      const auto found = absl::c_find(fleet_.watchers_, watcher_);
      fleet_.watchers_.erase(found);
    }

   private:
    PlainDirectoryFleet& fleet_;
    const std::shared_ptr<Watcher> watcher_;
  };
  auto watcher = std::make_shared<Watcher>();
  watcher->prefix = prefix;
  {
    MutexLock lock(watcher->mutex);
    watcher->on_change = std::move(on_change);
  }
  {
    MutexLock lock(fleet_.mutex_);
    fleet_.watchers_.push_back(watcher);
  }
  return std::make_unique<Watching>(fleet_, std::move(watcher));
}

void PlainDirectoryFleet::View::List(const std::string& prefix, const std::string& after,
                                     size_t limit,
                                     Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  absl::StatusOr<std::vector<ObjectId>> ids = std::vector<ObjectId>();
  {
    MutexLock lock(fleet_.mutex_);
    if (fleet_.unavailable_) {
      ids = MakeError(ErrorKind::kUnavailable, "the directory is out of reach");
    } else {
      for (const auto& [id, holders] : fleet_.objects_) {
        if (ids->size() == limit) break;
        if (id.bytes() > after && absl::StartsWith(id.bytes(), prefix) && fleet_.HeldWhole(id)) {
          ids->push_back(id);
        }
      }
    }
  }
  std::move(done)(std::move(ids));
}

}  // namespace packice
