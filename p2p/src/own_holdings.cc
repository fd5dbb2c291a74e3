#include "own_holdings.h"

#include "absl/strings/match.h"

namespace packice {
namespace {

// However little it is, what was withdrawn does not stay in the filter for longer.
constexpr absl::Duration kRebuildAfter = absl::Seconds(30);

bool Lives(const Holding& holding, absl::Time now) {
  return !holding.expires_at || *holding.expires_at > now;
}

}  // namespace

bool OwnHoldings::Put(const Holding& holding) {
  const auto [place, is_new] = holdings_.try_emplace(holding.object_id, holding);
  const bool was_whole =
      !is_new && place->second.complete() && place->second.digest == holding.digest;
  place->second = holding;
  if (is_new) {
    if (!filter_.FitFor(holdings_.size() + removed_)) {
      Rebuild();
    } else {
      const ObjectHash hash = ObjectHash::Of(holding.object_id);
      filter_.Add(hash);
      added_.push_back(hash);
      ++version_;
      if (added_.size() > kMaxAdded) {
        added_.clear();
        epoch_ = version_;
      }
    }
  }
  return holding.complete() && !was_whole;
}

bool OwnHoldings::Remove(const ObjectId& object_id) {
  const auto found = holdings_.find(object_id);
  if (found == holdings_.end()) return false;
  const bool whole = found->second.complete();
  holdings_.erase(found);
  if (removed_++ == 0) removed_since_ = absl::InfiniteDuration();
  return whole;
}

const Holding* OwnHoldings::Find(const ObjectId& object_id, absl::Time now) const {
  const auto found = holdings_.find(object_id);
  return found == holdings_.end() || !Lives(found->second, now) ? nullptr : &found->second;
}

std::vector<ObjectId> OwnHoldings::List(const std::string& prefix, const std::string& after,
                                        size_t limit, absl::Time now) const {
  std::vector<ObjectId> ids;
  const absl::StatusOr<ObjectId> from = ObjectId::Parse(std::max(prefix, after));
  auto place = from.ok() ? holdings_.lower_bound(*from) : holdings_.begin();
  for (; place != holdings_.end() && ids.size() < limit; ++place) {
    const absl::string_view bytes = place->first.bytes();
    if (!absl::StartsWith(bytes, prefix)) break;
    if (bytes > after && place->second.complete() && Lives(place->second, now)) {
      ids.push_back(place->first);
    }
  }
  return ids;
}

void OwnHoldings::Tidy(Instant now) {
  if (removed_ == 0) return;
  removed_since_ = std::min(removed_since_, now);
  const bool many = removed_ * 8 > holdings_.size() + removed_;
  if (many || now - removed_since_ > kRebuildAfter) Rebuild();
}

void OwnHoldings::FillFilter(uint64_t have, gossip::v1::Filter& out) const {
  out.set_version(version_);
  const bool known = have >= epoch_ && have <= version_;
  if (!known || (version_ - have) * sizeof(ObjectHash) > filter_.bits().size() / 2) {
    out.set_bits(filter_.bits());
    return;
  }
  for (uint64_t version = have; version < version_; ++version) {
    const ObjectHash& hash = added_[version - epoch_];
    out.add_added(hash.low);
    out.add_added(hash.high);
  }
}

void OwnHoldings::Rebuild() {
  filter_ = ObjectFilter(holdings_.size() + holdings_.size() / 4);
  for (const auto& [id, holding] : holdings_) filter_.Add(ObjectHash::Of(id));
  added_.clear();
  removed_ = 0;
  epoch_ = ++version_;
}

}  // namespace packice
