// How a directory keeps up with the others: hints, filters, and what watches are told.
#include <algorithm>
#include <utility>

#include "gossip_directory.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using gossip::v1::Envelope;
using gossip::v1::Hint;

constexpr absl::Duration kFilterTimeout = absl::Seconds(5);
constexpr size_t kMaxChanges = 65536;

}  // namespace

void GossipDirectory::Spread(const ObjectId& object_id, bool held) {
  Hint hint;
  {
    MutexLock lock(mutex_);
    const Instant now = options_.clock->Now();
    const double earned = absl::ToDoubleSeconds(now - hint_credit_at_) * options_.hints_per_second;
    hint_credit_ =
        std::min(hint_credit_ + earned, static_cast<double>(UpdateQueue::kMaxBroadcasts));
    hint_credit_at_ = now;
    // Filters tell the rest, only later.
    if (hint_credit_ < 1) return;
    hint_credit_ -= 1;
    hint.set_sequence(++hint_sequence_);
  }
  hint.set_object_id(std::string(object_id.bytes()));
  hint.set_holder(options_.gossip_address);
  hint.set_held(held);
  fleet_.spread(hint.SerializeAsString());
}

void GossipDirectory::Changed(const ObjectId& object_id, bool held) {
  if (!watches_.Wants(object_id)) return;
  if (changes_.size() < kMaxChanges || changes_.contains(object_id)) changes_[object_id] = held;
  fleet_.wake();
}

void GossipDirectory::OnMember(MemberChange change, const StatementRef& member) {
  MutexLock lock(mutex_);
  const bool gone = change == MemberChange::kDied || change == MemberChange::kLeft;
  if (gone) {
    others_.Remove(member->address());
  } else {
    others_.Put(member);
  }
}

void GossipDirectory::OnBroadcast(absl::string_view payload) {
  Hint hint;
  if (!hint.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
  const absl::StatusOr<ObjectId> id = ObjectId::Parse(hint.object_id());
  if (!id.ok() || hint.holder() == options_.gossip_address ||
      hint.holder().size() > MemberStatement::kMaxAddressBytes) {
    return;
  }
  MutexLock lock(mutex_);
  if (others_.AddHint(*id, hint.holder(), hint.held(), hint.sequence())) Changed(*id, hint.held());
}

void GossipDirectory::Work() {
  std::map<ObjectId, bool> changes;
  {
    MutexLock lock(mutex_);
    changes.swap(changes_);
    const Instant now = options_.clock->Now();
    if (next_tidy_ <= now) {
      own_.Tidy(now);
      next_tidy_ = now + options_.interval;
    }
  }
  for (const auto& [object_id, held] : changes) {
    if (held) {
      watches_.Tell(DirectoryChange{object_id, true});
    } else {
      AskWhetherGone(object_id);
    }
  }
  PullFilters();
}

Instant GossipDirectory::NextWork() const {
  MutexLock lock(mutex_);
  return changes_.empty() ? std::min(next_tidy_, next_pull_) : absl::ZeroDuration();
}

void GossipDirectory::AskWhetherGone(const ObjectId& object_id) {
  LocateRequest request;
  request.object_id = object_id;
  Locate(std::move(request), [this, object_id](absl::StatusOr<Location> location) {
    if (!location.ok()) return;
    const auto complete = [](const Holder& holder) { return holder.complete; };
    if (std::any_of(location->holders.begin(), location->holders.end(), complete)) return;
    {
      MutexLock lock(mutex_);
      const Holding* own = own_.Find(object_id, options_.clock->WallTime());
      if (own != nullptr && own->complete()) return;
    }
    watches_.Tell(DirectoryChange{object_id, false});
  });
}

void GossipDirectory::PullFilters() {
  for (;;) {
    MemberFilters::Pull pull;
    {
      MutexLock lock(mutex_);
      const Instant now = options_.clock->Now();
      if (next_pull_ > now) return;
      auto next = pulls_ < kPullsAtATime ? others_.NextPull(now) : absl::nullopt;
      if (!next) {
        next_pull_ = now + options_.interval;
        return;
      }
      pull = *std::move(next);
      ++pulls_;
    }
    Envelope question;
    question.mutable_filter_request()->set_have_version(pull.have);
    fleet_.ask(pull.address, std::move(question), kFilterTimeout,
               [this, address = pull.address](absl::StatusOr<Envelope> answer) {
                 OnPulled(address, std::move(answer));
               });
  }
}

void GossipDirectory::OnPulled(const std::string& address, absl::StatusOr<Envelope> answer) {
  const std::vector<ObjectId> watched = watches_.Ids();
  std::vector<ObjectId> gained;
  MutexLock lock(mutex_);
  --pulls_;
  const Instant now = options_.clock->Now();
  if (!answer.ok() || !answer->has_filter() ||
      !others_.OnFilter(address, answer->filter(), watched, gained)) {
    others_.OnPullFailed(address, now + options_.interval);
    return;
  }
  const size_t bytes = answer->ByteSizeLong();
  figures_.pulled_bytes += bytes;
  // The next one as soon as the rate allows.
  next_pull_ = now + absl::Seconds(static_cast<double>(bytes) / options_.pull_bytes_per_second);
  for (const ObjectId& id : gained) Changed(id, true);
  fleet_.wake();
}

}  // namespace packice
