#include "packice/p2p/testing/plain_fleet.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "packice/core/error.h"

namespace packice {

class PlainFleet::Watching final : public Directory::Watch {
 public:
  Watching(PlainFleet& fleet, const std::string& prefix, OnChange on_change) : fleet_(fleet) {
    MutexLock lock(fleet_.mutex_);
    at_ = fleet_.watches_.emplace(fleet_.watches_.end(), prefix,
                                  std::make_shared<OnChange>(std::move(on_change)));
  }
  ~Watching() override {
    MutexLock lock(fleet_.mutex_);
    fleet_.watches_.erase(at_);
  }

 private:
  PlainFleet& fleet_;
  std::list<std::pair<std::string, std::shared_ptr<OnChange>>>::iterator at_;
};

class PlainFleet::View final : public Directory {
 public:
  View(PlainFleet& fleet, std::string address) : fleet_(fleet), address_(std::move(address)) {}

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override {
    std::move(done)(fleet_.Locate(request, address_));
  }
  void Announce(const Holding& holding) override {
    fleet_.Set(address_, holding.object_id, holding);
  }
  void Withdraw(const ObjectId& object_id) override {
    fleet_.Set(address_, object_id, absl::nullopt);
  }
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override {
    MutexLock lock(fleet_.mutex_);
    fleet_.reports_.push_back({object_id, holder, fault});
  }
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override {
    return std::make_unique<Watching>(fleet_, prefix, std::move(on_change));
  }
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override {
    std::vector<ObjectId> ids;
    {
      MutexLock lock(fleet_.mutex_);
      for (const auto& [id, holdings] : fleet_.objects_) {
        const bool held = std::any_of(holdings.begin(), holdings.end(),
                                      [](const auto& entry) { return entry.second.complete(); });
        const bool wanted = absl::StartsWith(id.bytes(), prefix) && id.bytes() > after;
        if (held && wanted && ids.size() < limit) ids.push_back(id);
      }
    }
    std::move(done)(std::move(ids));
  }

 private:
  PlainFleet& fleet_;
  const std::string address_;
};

std::unique_ptr<Directory> PlainFleet::Join(const std::string& address) {
  return std::make_unique<View>(*this, address);
}

void PlainFleet::SetReachable(bool reachable) {
  MutexLock lock(mutex_);
  reachable_ = reachable;
}

void PlainFleet::GrantOrigin(bool grant) {
  MutexLock lock(mutex_);
  grant_origin_ = grant;
}

std::vector<PlainFleet::Told> PlainFleet::reports() const {
  MutexLock lock(mutex_);
  return reports_;
}

std::vector<std::string> PlainFleet::Holders(const ObjectId& object_id) const {
  MutexLock lock(mutex_);
  std::vector<std::string> holders;
  const auto it = objects_.find(object_id);
  if (it == objects_.end()) return holders;
  for (const auto& [address, holding] : it->second) {
    if (holding.complete()) holders.push_back(address);
  }
  return holders;
}

absl::StatusOr<Location> PlainFleet::Locate(const LocateRequest& request,
                                            const std::string& asker) const {
  MutexLock lock(mutex_);
  if (!reachable_) return MakeError(ErrorKind::kUnavailable, "the fleet is out of reach");
  Location location;
  const Holding* last = nullptr;
  if (const auto it = objects_.find(request.object_id); it != objects_.end()) {
    for (const auto& [address, holding] : it->second) {
      if (address == asker) continue;
      if (last == nullptr || holding.sealed_at > last->sealed_at) last = &holding;
    }
    for (const auto& [address, holding] : it->second) {
      const bool excluded = std::find(request.exclude.begin(), request.exclude.end(), address) !=
                            request.exclude.end();
      if (address == asker || excluded || holding.digest != last->digest) continue;
      if (location.holders.size() == request.max) break;
      Holder holder;
      holder.address = address;
      holder.pieces_held = holding.pieces_held;
      holder.complete = holding.complete();
      location.holders.push_back(std::move(holder));
    }
  }
  if (last != nullptr) {
    location.digest = last->digest;
    location.size = last->size;
    location.pieces = last->pieces;
  } else if (request.has_origin && grant_origin_) {
    location.origin_grant = absl::Seconds(60);
  }
  return location;
}

void PlainFleet::Set(const std::string& address, const ObjectId& object_id,
                     const absl::optional<Holding>& holding) {
  std::vector<std::shared_ptr<OnChange>> told;
  {
    MutexLock lock(mutex_);
    if (holding.has_value()) {
      objects_[object_id][address] = *holding;
    } else if (const auto it = objects_.find(object_id); it != objects_.end()) {
      it->second.erase(address);
      if (it->second.empty()) objects_.erase(it);
    }
    for (const auto& [prefix, on_change] : watches_) {
      if (absl::StartsWith(object_id.bytes(), prefix)) told.push_back(on_change);
    }
  }
  const bool held = holding.has_value() && holding->complete();
  for (const auto& on_change : told) (*on_change)({object_id, held});
}

}  // namespace packice
