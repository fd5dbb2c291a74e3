// What tiers hold, as one: Stat, List, Stats.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tier_engine.h"

namespace packice {
namespace {

constexpr absl::string_view kHotName = "hot";
constexpr absl::string_view kColdName = "cold";

// How one who sees `tiers` of a tier calls them: the tier itself where it has none.
std::vector<std::string> Within(absl::string_view name, const std::vector<std::string>& tiers) {
  if (tiers.empty()) return {std::string(name)};
  std::vector<std::string> within;
  for (const std::string& tier : tiers) within.push_back(absl::StrCat(name, "/", tier));
  return within;
}

uint64_t Without(uint64_t leases, uint64_t own) { return leases - std::min(leases, own); }

// One object that two tiers know of.
ObjectInfo Merge(ObjectInfo hot, const ObjectInfo& cold) {
  hot.leases += cold.leases;
  hot.tiers = Within(kHotName, hot.tiers);
  for (std::string& tier : Within(kColdName, cold.tiers)) hot.tiers.push_back(std::move(tier));
  return hot;
}

TierStats ToTier(absl::string_view name, const PeerStats& stats) {
  TierStats tier;
  tier.name = std::string(name);
  tier.objects = stats.objects;
  tier.bytes = stats.bytes;
  tier.capacity = stats.capacity;
  tier.evictions = stats.evictions;
  tier.coldest_age = stats.coldest_age;
  return tier;
}

void AppendTier(TierStats tier, const PeerStats& stats, std::vector<TierStats>& tiers) {
  const std::string name = tier.name;
  tiers.push_back(std::move(tier));
  for (TierStats within : stats.tiers) {
    within.name = absl::StrCat(name, "/", within.name);
    tiers.push_back(std::move(within));
  }
}

}  // namespace

void TieredPeer::Engine::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  hot_->Stat(object_id, [this, id = object_id,
                         done = std::move(done)](absl::StatusOr<ObjectInfo> hot) mutable {
    if (!hot.ok() && KindOf(hot.status()) != ErrorKind::kNotFound) {
      return std::move(done)(std::move(hot));
    }
    bool dirty;
    {
      MutexLock lock(mutex_);
      dirty = dirty_.Find(id) != nullptr;
    }
    if (hot.ok()) hot->leases = Without(hot->leases, dirty ? 1 : 0);
    const bool sealed = hot.ok() && hot->state == ObjectState::kSealed;
    const bool promoting = affairs_.IsPromoting(id);
    const bool is_new = hot.ok() && !sealed && !promoting;  // its creator asked cold
    const bool hidden = discards_->Contains(id);
    if (dirty || is_new || hidden || (sealed && health_.IsDown())) {
      if (hot.ok()) hot->tiers = Within(kHotName, hot->tiers);
      return std::move(done)(std::move(hot));
    }
    if (health_.IsDown()) {
      return std::move(done)(
          ColdIsDown(absl::StrCat("object ", id.ToQuoted(), " is not in the hot tier")));
    }
    cold_->Stat(id, [this, promoting, sealed, hot = std::move(hot),
                     done = std::move(done)](absl::StatusOr<ObjectInfo> cold) mutable {
      health_.Answered(cold.status());
      const bool in_cold = cold.ok() && cold->state == ObjectState::kSealed;
      if (in_cold) cold->leases = Without(cold->leases, promoting ? 1 : 0);
      if (sealed) {
        if (in_cold) return std::move(done)(Merge(*std::move(hot), *cold));
        hot->tiers = Within(kHotName, hot->tiers);
        return std::move(done)(std::move(hot));
      }
      if (cold.ok()) cold->tiers = Within(kColdName, cold->tiers);
      std::move(done)(std::move(cold));
    });
  });
}

void TieredPeer::Engine::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  if (health_.IsDown()) {
    return std::move(done)(ColdIsDown("not all objects can be listed"));
  }
  ListRequest copy = request;
  hot_->List(std::move(copy), [this, request = std::move(request),
                               done = std::move(done)](absl::StatusOr<ListPage> hot) mutable {
    if (!hot.ok()) return std::move(done)(std::move(hot));
    ListRequest again = request;
    cold_->List(std::move(again), [this, request = std::move(request), hot = *std::move(hot),
                                   done = std::move(done)](absl::StatusOr<ListPage> cold) mutable {
      health_.Answered(cold.status());
      if (!cold.ok()) return std::move(done)(std::move(cold));
      std::move(done)(MergePages(request, std::move(hot), *std::move(cold)));
    });
  });
}

ListPage TieredPeer::Engine::MergePages(const ListRequest& request, ListPage hot, ListPage cold) {
  ListPage page;
  // A page that goes on says nothing of what is behind its end.
  absl::optional<ObjectId> end = hot.next;
  if (cold.next.has_value() && (!end.has_value() || *cold.next < *end)) end = cold.next;
  auto h = hot.objects.begin();
  auto c = cold.objects.begin();
  while (h != hot.objects.end() || c != cold.objects.end()) {
    const bool from_hot =
        c == cold.objects.end() || (h != hot.objects.end() && !(c->object_id < h->object_id));
    const bool from_cold =
        h == hot.objects.end() || (c != cold.objects.end() && !(h->object_id < c->object_id));
    const ObjectId id = from_hot ? h->object_id : c->object_id;
    if (end.has_value() && *end < id) break;
    if (page.objects.size() == request.limit) {
      page.next = page.objects.back().object_id;
      return page;
    }
    absl::optional<ObjectInfo> info;
    if (from_hot) {
      info = OwnView(*h++);
      if (info->state != ObjectState::kSealed && affairs_.IsPromoting(id)) info.reset();
    }
    if (from_cold) {
      ObjectInfo there = std::move(*c++);
      const bool visible = there.state == ObjectState::kSealed && !discards_->Contains(id);
      if (info.has_value() && info->state == ObjectState::kSealed) {
        if (visible) info = Merge(*std::move(info), there);
      } else if (visible) {
        there.tiers = Within(kColdName, there.tiers);
        info = std::move(there);
      }
    }
    if (!info.has_value()) continue;
    if (info->tiers.empty()) info->tiers = {std::string(kHotName)};
    page.objects.push_back(*std::move(info));
  }
  page.next = end;
  return page;
}

ObjectInfo TieredPeer::Engine::OwnView(ObjectInfo hot) const {
  MutexLock lock(mutex_);
  if (dirty_.Find(hot.object_id) != nullptr) hot.leases = Without(hot.leases, 1);
  return hot;
}

void TieredPeer::Engine::Stats(Done<absl::StatusOr<PeerStats>> done) {
  hot_->Stats([this, done = std::move(done)](absl::StatusOr<PeerStats> hot) mutable {
    if (!hot.ok()) return std::move(done)(std::move(hot));
    if (health_.IsDown()) return std::move(done)(MergeStats(*hot, PeerStats()));
    cold_->Stats([this, hot = *std::move(hot),
                  done = std::move(done)](absl::StatusOr<PeerStats> cold) mutable {
      health_.Answered(cold.status());
      std::move(done)(MergeStats(hot, cold.ok() ? *cold : PeerStats()));
    });
  });
}

PeerStats TieredPeer::Engine::MergeStats(const PeerStats& hot, const PeerStats& cold) const {
  const TierHealth::View health = health_.Get();
  PeerStats stats = hot;
  TierStats hot_tier = ToTier(kHotName, hot);
  TierStats cold_tier = ToTier(kColdName, cold);
  cold_tier.state = health.state;
  cold_tier.reason = health.reason;
  hot_tier.hits = hot.hits;
  hot_tier.hit_bytes = hot.hit_bytes;
  cold_tier.hits = cold_hits_.load();
  cold_tier.hit_bytes = cold_hit_bytes_.load();
  cold_tier.misses = misses_.load();
  hot_tier.misses = cold_tier.hits + cold_tier.misses;
  hot_tier.missed_bytes = cold_tier.hit_bytes;
  hot_tier.demotions = demotions_.load();
  hot_tier.demoted_bytes = demoted_bytes_.load();
  hot_tier.promotions = promotions_.load();
  hot_tier.promoted_bytes = promoted_bytes_.load();
  cold_tier.discards_due = discards_->size();

  uint64_t dirty;
  {
    MutexLock lock(mutex_);
    dirty = dirty_.size();
    hot_tier.queued = dirty_.size();
    hot_tier.queued_bytes = dirty_.bytes();
    hot_tier.moving = demoting_;
    cold_tier.moving = promoting_;
    stats.waiting += room_waiters_.size();
  }
  // What is in both counts once: what hot has and cold does not is dirty, or being created.
  const uint64_t only_hot = std::min(hot.objects, dirty + hot.creating);
  stats.objects = cold_tier.state == TierState::kDown ? hot.objects : cold.objects + only_hot;
  stats.creating += cold.creating;
  stats.bytes += cold.bytes;
  stats.capacity = absl::nullopt;
  if (hot.capacity.has_value() && cold.capacity.has_value()) {
    stats.capacity = *hot.capacity + *cold.capacity;
  }
  stats.hits = hot_tier.hits + cold_tier.hits;
  stats.hit_bytes = hot_tier.hit_bytes + cold_tier.hit_bytes;
  stats.misses = cold_tier.misses;
  stats.evictions = cold.evictions;  // out of hot alone nothing is lost
  // The copies of one object end together.
  stats.expired_objects = std::max(hot.expired_objects, cold.expired_objects);
  stats.quarantined += cold.quarantined;
  stats.expired_leases += cold.expired_leases;
  stats.waiting += cold.waiting;
  stats.read_leases = Without(hot.read_leases, dirty) + cold.read_leases;
  stats.create_leases += cold.create_leases;
  stats.write_leases += cold.write_leases;
  stats.tiers.clear();
  AppendTier(std::move(hot_tier), hot, stats.tiers);
  AppendTier(std::move(cold_tier), cold, stats.tiers);
  return stats;
}

}  // namespace packice
