#include "member_filters.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

constexpr size_t kHintsOfObject = 8;

}  // namespace

void MemberFilters::Put(const StatementRef& member) {
  if (member->metadata().transfer_address.empty()) return Remove(member->address());
  members_[member->address()].member = member;
}

void MemberFilters::Remove(const std::string& address) {
  const auto found = members_.find(address);
  if (found == members_.end()) return;
  if (found->second.filter) filter_bytes_ -= found->second.filter->bits().size();
  members_.erase(found);
}

bool MemberFilters::AddHint(const ObjectId& object_id, const std::string& holder, bool held,
                            uint64_t sequence) {
  const auto [place, is_new] = hints_.try_emplace(object_id);
  if (is_new) {
    hint_order_.push_back(object_id);
    if (hint_order_.size() > kMaxHints) {
      const ObjectId oldest = std::move(hint_order_.front());
      hint_order_.pop_front();
      hints_.erase(oldest);
    }
  }
  std::vector<Hint>& hints = hints_[object_id];
  for (Hint& hint : hints) {
    if (hint.holder != holder) continue;
    if (hint.sequence >= sequence) return false;
    hint = Hint{holder, held, sequence};
    return true;
  }
  if (hints.size() == kHintsOfObject) hints.erase(hints.begin());
  hints.push_back(Hint{holder, held, sequence});
  return true;
}

MemberFilters::Candidates MemberFilters::WhoMayHold(const ObjectId& object_id,
                                                    SplitMix& random) const {
  const ObjectHash hash = ObjectHash::Of(object_id);
  const auto hints = hints_.find(object_id);
  const auto hinted = [&](const std::string& address) {
    if (hints == hints_.end()) return false;
    return std::any_of(hints->second.begin(), hints->second.end(),
                       [&](const Hint& hint) { return hint.held && hint.holder == address; });
  };
  Candidates candidates;
  std::vector<StatementRef> by_filter;
  std::vector<StatementRef> up_to_date;
  for (const auto& [address, entry] : members_) {
    if (hinted(address)) {
      candidates.likely.push_back(entry.member);
    } else if (entry.filter && entry.filter->MayContain(hash)) {
      by_filter.push_back(entry.member);
    } else if (entry.outdated()) {
      candidates.others.push_back(entry.member);
    } else {
      up_to_date.push_back(entry.member);
    }
  }
  for (auto* group : {&candidates.likely, &by_filter, &candidates.others, &up_to_date}) {
    random.Shuffle(*group);
  }
  candidates.likely.insert(candidates.likely.end(), by_filter.begin(), by_filter.end());
  candidates.others.insert(candidates.others.end(), up_to_date.begin(), up_to_date.end());
  return candidates;
}

std::vector<StatementRef> MemberFilters::All() const {
  std::vector<StatementRef> all;
  for (const auto& [address, entry] : members_) all.push_back(entry.member);
  return all;
}

size_t MemberFilters::RankOf(const std::string& address, const ObjectId& object_id) const {
  const uint64_t object = ObjectHash::Of(object_id).low;
  const uint64_t own = MixBits(AddressHash(address) ^ object);
  return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [&](const auto& each) {
    return MixBits(each.second.member->address_hash() ^ object) < own;
  }));
}

absl::optional<MemberFilters::Pull> MemberFilters::NextPull(Instant now) {
  auto place = members_.upper_bound(last_pull_);
  for (size_t i = 0; i < members_.size(); ++i, ++place) {
    if (place == members_.end()) place = members_.begin();
    Entry& entry = place->second;
    if (!entry.outdated() || entry.pulling || entry.pull_from > now) continue;
    if (!entry.filter && filter_bytes_ > kMaxFilterBytes) continue;
    entry.pulling = true;
    last_pull_ = place->first;
    return Pull{place->first, entry.filter ? entry.version : 0};
  }
  return absl::nullopt;
}

bool MemberFilters::OnFilter(const std::string& address, const gossip::v1::Filter& filter,
                             const std::vector<ObjectId>& asked, std::vector<ObjectId>& gained) {
  const auto found = members_.find(address);
  if (found == members_.end()) return true;  // gone meanwhile
  Entry& entry = found->second;
  absl::optional<ObjectFilter> next =
      filter.bits().empty() ? entry.filter : ObjectFilter::Decode(filter.bits());
  if (!next || filter.added_size() % 2 != 0 || filter.version() < entry.version) return false;
  for (int i = 0; i + 1 < filter.added_size(); i += 2) {
    next->Add(ObjectHash{filter.added(i), filter.added(i + 1)});
  }
  for (const ObjectId& id : asked) {
    const bool before = entry.filter && entry.filter->MayContain(id);
    if (!before && next->MayContain(id)) gained.push_back(id);
  }
  if (entry.filter) filter_bytes_ -= entry.filter->bits().size();
  filter_bytes_ += next->bits().size();
  entry.filter = std::move(next);
  entry.version = filter.version();
  entry.pulling = false;
  return true;
}

void MemberFilters::OnPullFailed(const std::string& address, Instant retry_at) {
  const auto found = members_.find(address);
  if (found == members_.end()) return;
  found->second.pulling = false;
  found->second.pull_from = retry_at;
}

}  // namespace packice
