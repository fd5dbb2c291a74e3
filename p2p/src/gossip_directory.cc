#include "gossip_directory.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using gossip::v1::Description;
using gossip::v1::Envelope;

Holder HolderOf(const HolderQuery::Answer& answer) {
  const MemberMetadata& metadata = answer.member->metadata();
  Holder holder;
  holder.address = metadata.transfer_address;
  holder.zone = metadata.zone;
  holder.load = metadata.load_percent / 100.0;
  holder.pieces_held = answer.description.pieces_held();
  holder.complete = answer.description.pieces_held() == answer.description.pieces();
  return holder;
}

Description Describe(const Holding& holding) {
  Description description;
  description.set_held(true);
  description.set_digest(holding.digest.Encode());
  description.set_size(holding.size);
  description.set_pieces(holding.pieces);
  description.set_pieces_held(holding.pieces_held);
  description.set_sealed_at_us(absl::ToUnixMicros(holding.sealed_at));
  return description;
}

// Whether it can be an object at all.
bool Sound(const Description& description) {
  const auto digest = ContentDigest::Decode(description.digest());
  return digest.ok() && !digest->empty() && description.pieces_held() <= description.pieces();
}

// What each content under an id has for itself.
struct Votes {
  size_t holders = 0;
  int64_t sealed_at_us = INT64_MIN;
  const Description* latest = nullptr;

  void Add(const Description& description) {
    ++holders;
    if (latest == nullptr || description.sealed_at_us() > sealed_at_us) {
      latest = &description;
      sealed_at_us = description.sealed_at_us();
    }
  }
  friend bool operator<(const Votes& a, const Votes& b) {
    return std::tie(a.holders, a.sealed_at_us) < std::tie(b.holders, b.sealed_at_us);
  }
};

// In the order to try them; at least one that has all, if there is one.
void SortHolders(const std::string& zone, size_t max, SplitMix& random,
                 std::vector<Holder>& holders) {
  random.Shuffle(holders);
  absl::c_stable_sort(holders, [&](const Holder& a, const Holder& b) {
    return std::make_pair(a.zone != zone, a.load) < std::make_pair(b.zone != zone, b.load);
  });
  if (holders.size() <= max) return;
  const auto cut = holders.begin() + static_cast<ptrdiff_t>(max);
  const auto complete = [](const Holder& holder) { return holder.complete; };
  if (max > 0 && std::none_of(holders.begin(), cut, complete)) {
    const auto first = std::find_if(cut, holders.end(), complete);
    if (first != holders.end()) std::iter_swap(cut - 1, first);
  }
  holders.erase(cut, holders.end());
}

}  // namespace

GossipDirectory::GossipDirectory(GossipDirectoryOptions options, Fleet fleet)
    : options_(std::move(options)),
      fleet_(std::move(fleet)),
      random_(options_.seed),
      // Room for 65536 versions within each millisecond that a node might be started again in.
      own_(static_cast<uint64_t>(absl::ToUnixMillis(options_.clock->WallTime())) << 16),
      next_tidy_(options_.clock->Now()),
      next_pull_(options_.clock->Now()),
      hint_credit_(static_cast<double>(UpdateQueue::kMaxBroadcasts)),
      hint_credit_at_(options_.clock->Now()),
      hint_sequence_(static_cast<uint64_t>(absl::ToUnixMicros(options_.clock->WallTime()))) {}

void GossipDirectory::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  MemberFilters::Candidates candidates;
  {
    MutexLock lock(mutex_);
    candidates = others_.WhoMayHold(request.object_id, random_);
  }
  const ObjectId object_id = request.object_id;
  std::vector<std::string> exclude = request.exclude;
  HolderQuery::Run(object_id, std::move(exclude), std::move(candidates), fleet_.ask,
                   [this, request = std::move(request),
                    done = std::move(done)](HolderQuery::Result result) mutable {
                     if (result.nobody_answered) {
                       std::move(done)(MakeError(
                           ErrorKind::kUnavailable,
                           absl::StrCat("cannot tell who holds ", request.object_id.ToQuoted(),
                                        ": no member that was asked has answered")));
                       return;
                     }
                     std::move(done)(Conclude(request, std::move(result)));
                   });
}

Location GossipDirectory::Conclude(const LocateRequest& request, HolderQuery::Result result) {
  Location location;
  MutexLock lock(mutex_);
  figures_.hints += result.likely;
  figures_.false_hints += result.not_held;

  std::map<std::string, Votes> contents;
  Description own;
  if (const Holding* held = own_.Find(request.object_id, options_.clock->WallTime())) {
    own = Describe(*held);
    contents[own.digest()].Add(own);
  }
  for (const HolderQuery::Answer& answer : result.holders) {
    if (Sound(answer.description)) contents[answer.description.digest()].Add(answer.description);
  }
  const auto counts =
      std::max_element(contents.begin(), contents.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (counts == contents.end()) {
    if (request.has_origin) LetToOrigin(request, location);
    return location;
  }
  origin_.Done(request.object_id);
  location.digest = ContentDigest::Decode(counts->first).value_or(ContentDigest());
  location.size = counts->second.latest->size();
  location.pieces = counts->second.latest->pieces();
  for (const HolderQuery::Answer& answer : result.holders) {
    const std::string& address = answer.member->metadata().transfer_address;
    if (answer.description.digest() == counts->first && address != options_.address &&
        !absl::c_linear_search(request.exclude, address)) {
      location.holders.push_back(HolderOf(answer));
    }
  }
  SortHolders(options_.zone, std::min(request.max, LocateRequest::kLimit), random_,
              location.holders);
  return location;
}

void GossipDirectory::LetToOrigin(const LocateRequest& request, Location& location) {
  const size_t rank = others_.RankOf(options_.gossip_address, request.object_id);
  const absl::Duration wait = origin_.Ask(options_.clock->Now(), request.object_id, rank);
  if (wait == absl::ZeroDuration()) {
    location.origin_grant = OriginTurns::kGrant;
  } else {
    location.retry_after = std::min(wait, OriginTurns::kTurn / 2);
  }
}

void GossipDirectory::Announce(const Holding& holding) {
  bool whole = false;
  {
    MutexLock lock(mutex_);
    whole = own_.Put(holding);
    origin_.Done(holding.object_id);
    if (whole) Changed(holding.object_id, true);
  }
  if (whole) Spread(holding.object_id, true);
}

void GossipDirectory::Withdraw(const ObjectId& object_id) {
  bool whole = false;
  {
    MutexLock lock(mutex_);
    whole = own_.Remove(object_id);
    if (whole) Changed(object_id, false);
  }
  if (whole) Spread(object_id, false);
}

void GossipDirectory::Report(const ObjectId& object_id, const std::string&, HolderFault fault) {
  // Of holders there is nothing to tell others, who ask them anyway; only the own turn at the
  // origin matters.
  if (fault != HolderFault::kOrigin) return;
  MutexLock lock(mutex_);
  origin_.Failed(options_.clock->Now(), object_id);
}

std::unique_ptr<Directory::Watch> GossipDirectory::WatchPrefix(const std::string& prefix,
                                                               OnChange on_change) {
  return watches_.Add(prefix, std::move(on_change));
}

absl::StatusOr<Envelope> GossipDirectory::Answer(const Envelope& question) const {
  const absl::Time now = options_.clock->WallTime();
  Envelope answer;
  MutexLock lock(mutex_);
  switch (question.directory_case()) {
    case Envelope::kDescribe: {
      Description& description = *answer.mutable_description();
      const absl::StatusOr<ObjectId> id = ObjectId::Parse(question.describe().object_id());
      if (!id.ok()) return id.status();
      if (const Holding* held = own_.Find(*id, now)) description = Describe(*held);
      return answer;
    }
    case Envelope::kFilterRequest:
      own_.FillFilter(question.filter_request().have_version(), *answer.mutable_filter());
      return answer;
    case Envelope::kListRequest: {
      const gossip::v1::ListRequest& request = question.list_request();
      answer.mutable_list();
      for (const ObjectId& id : own_.List(request.prefix(), request.after(),
                                          std::min<size_t>(request.limit(), kMaxListed), now)) {
        answer.mutable_list()->add_object_ids(std::string(id.bytes()));
      }
      return answer;
    }
    default:
      return MakeError(ErrorKind::kInvalidArgument, "gossip carries no such question");
  }
}

uint64_t GossipDirectory::filter_version() const {
  MutexLock lock(mutex_);
  return own_.version();
}

GossipDirectory::Figures GossipDirectory::figures() const {
  MutexLock lock(mutex_);
  Figures figures = figures_;
  figures.objects = own_.size();
  figures.filter_bytes = own_.filter().bits().size();
  figures.member_filter_bytes = others_.filter_bytes();
  figures.false_positive_rate = own_.filter().FalsePositiveRate();
  return figures;
}

}  // namespace packice
