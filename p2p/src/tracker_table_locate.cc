// TrackerTable: who is told to who asks.
#include <algorithm>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "packice/p2p/directory.h"
#include "tracker_request.h"
#include "tracker_table.h"

namespace packice {
namespace {

// An object that thousands hold is not asked of all of them: so many, from a random one on, are
// enough to choose from.
constexpr size_t kConsidered = 512;

// Loads closer than this are near enough to equal to leave the choice to chance, which spreads
// those who ask at the same time.
constexpr double kNear = 0.25;
// What parts that are missing, a slow and a busy uplink weigh beside the load.
constexpr double kOfMissing = 0.5;
constexpr double kOfSlow = 0.5;
constexpr double kOfBusy = 1;

}  // namespace

struct TrackerTable::Candidate {
  const ContentHolder* holder;
  HolderStanding standing;
  bool elsewhere;  // in another zone
  bool complete;
  double weight;

  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::tie(a.standing, a.elsewhere, a.weight) <
           std::tie(b.standing, b.elsewhere, b.weight);
  }
};

namespace {

// The best `max`, in order; one that has everything among them, if there is one.
template <typename Candidate>
void ChooseBest(std::vector<Candidate>& candidates, size_t max) {
  const auto is_good = [](const Candidate& each) {
    return each.complete && each.standing != HolderStanding::kShunned;
  };
  if (absl::c_any_of(candidates, is_good)) {
    candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                    [](const Candidate& each) {
                                      return each.standing == HolderStanding::kShunned;
                                    }),
                     candidates.end());
  }
  if (candidates.size() <= max) {
    absl::c_sort(candidates);
    return;
  }
  const auto cut = candidates.begin() + static_cast<std::ptrdiff_t>(max);
  std::partial_sort(candidates.begin(), cut, candidates.end());
  const auto has_all = [](const Candidate& each) { return each.complete; };
  if (std::none_of(candidates.begin(), cut, has_all)) {
    auto best = candidates.end();
    for (auto each = cut; each != candidates.end(); ++each) {
      if (each->complete && (best == candidates.end() || *each < *best)) best = each;
    }
    if (best != candidates.end()) std::iter_swap(cut - 1, best);
  }
  candidates.erase(cut, candidates.end());
}

}  // namespace

double TrackerTable::Chance() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

// The one sealed last, of those that somebody holds. Parts alone count as well: whoever fetches a
// new content must not be sent to the old one by the first pieces.
const TrackerContent* TrackerTable::WhatCounts(absl::string_view object_id, Instant now) const {
  ContentKey key;
  key.object_id = object_id;
  const TrackerContent* counts = nullptr;
  for (auto at = contents_.lower_bound(key); at != contents_.end(); ++at) {
    const TrackerContent* const content = *at;
    if (content->object_id() != object_id) break;
    if (counts != nullptr && content->sealed_at_ms() <= counts->sealed_at_ms()) continue;
    if (absl::c_any_of(content->holders(),
                       [&](const ContentHolder& each) { return IsLive(each, now); })) {
      counts = content;
    }
  }
  return counts;
}

std::vector<TrackerTable::Candidate> TrackerTable::Candidates(
    const TrackerContent& content, const tracker::v1::LocateRequest& request, Slot asker,
    Instant now) {
  absl::flat_hash_set<Slot> left_out = {asker};
  for (const std::string& address : request.exclude()) left_out.insert(Find(address));

  const absl::Span<const ContentHolder> holders = content.holders();
  std::vector<Candidate> candidates;
  candidates.reserve(std::min(holders.size(), kConsidered));
  bool some_complete = content.complete() == 0;  // or none to be had
  const size_t start = holders.size() > kConsidered ? random_() % holders.size() : 0;
  for (size_t i = 0; i < holders.size(); ++i) {
    const ContentHolder& holder = holders[(start + i) % holders.size()];
    if (candidates.size() >= kConsidered) {
      if (some_complete) break;
      if (holder.pieces_held != content.pieces()) continue;
    }
    if (!IsLive(holder, now) || left_out.contains(holder.node)) continue;
    const TrackerNode& node = nodes_[holder.node];
    Candidate candidate{&holder, HolderStanding::kGood, node.zone != request.zone(),
                        holder.pieces_held == content.pieces(), node.load};
    if (!faults_.empty()) {
      candidate.standing = faults_.StandingOf(&content, holder.node, asker, now);
    }
    if (!candidate.complete) {
      candidate.weight += kOfMissing * (1.0 - double(holder.pieces_held) / content.pieces());
    }
    if (node.slow_until > now) candidate.weight += kOfSlow;
    if (node.busy_until > now) candidate.weight += kOfBusy;
    candidate.weight += kNear * Chance();
    some_complete = some_complete || candidate.complete;
    candidates.push_back(candidate);
  }
  return candidates;
}

absl::StatusOr<tracker::v1::LocateResponse> TrackerTable::Locate(
    const tracker::v1::LocateRequest& request, Instant now) {
  if (absl::Status status = Check(request); !status.ok()) return status;
  Tidy(now, kSweepOfLocate);
  tracker::v1::LocateResponse response;
  bool complete = false;
  if (const TrackerContent* const content = WhatCounts(request.object_id(), now)) {
    response.set_digest(content->digest().data(), content->digest().size());
    response.set_size(content->size());
    response.set_pieces(content->pieces());
    std::vector<Candidate> candidates = Candidates(*content, request, Find(request.address()), now);
    ChooseBest(candidates, request.max() == 0 ? LocateRequest::kDefaultMax : request.max());
    for (const Candidate& each : candidates) {
      const TrackerNode& node = nodes_[each.holder->node];
      tracker::v1::Holder& told = *response.add_holders();
      told.set_address(node.address);
      told.set_zone(node.zone);
      told.set_load(static_cast<float>(node.load));
      told.set_age_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(now - node.last_heard)));
      told.set_pieces_held(each.holder->pieces_held);
      told.set_complete(each.complete);
      complete = complete || each.complete;
    }
  }
  if (request.has_origin() && !complete) {
    const OriginGrants::Answer answer = grants_.Ask(request.object_id(), request.address(), now);
    const auto ms = static_cast<uint64_t>(absl::ToInt64Milliseconds(answer.time));
    if (answer.granted) {
      response.set_origin_grant_ms(ms);
    } else if (response.holders().empty()) {
      response.set_retry_after_ms(ms);
    }
  }
  return response;
}

}  // namespace packice
