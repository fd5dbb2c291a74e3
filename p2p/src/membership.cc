#include "membership.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/numeric/bits.h"

namespace packice {
namespace {

constexpr size_t kSeenBroadcasts = 4096;
constexpr size_t kMaxCorrections = 8;
constexpr uint32_t kMaxFruitless = 8;
constexpr absl::Duration kTenth = absl::Milliseconds(100);

}  // namespace

Membership::Membership(MembershipOptions options, MembershipNetwork& network,
                       MembershipObserver& observer, Instant now)
    : options_(std::move(options)),
      network_(network),
      observer_(observer),
      start_(now),
      now_(now),
      random_(options_.seed),
      self_hash_(AddressHash(options_.address)),
      self_(StatementRef::Make(options_.address, options_.incarnation, options_.metadata)),
      metadata_(options_.metadata),
      members_(random_),
      suspicions_(options_.suspicion, options_.probe.interval),
      prober_(options_.probe, *this, now, random_.Unit(), random_.Next() >> 16),
      next_gossip_(now),
      next_exchange_(now + random_.Unit() * options_.exchange_interval),
      next_seek_(now + random_.Unit() * options_.exchange_interval),
      join_backoff_(options_.join_backoff),
      metadata_allowed_(now) {}

void Membership::Join(Instant now, const std::vector<std::string>& seeds) {
  now_ = now;
  for (const std::string& seed : seeds) {
    const bool known = std::find(seeds_.begin(), seeds_.end(), seed) != seeds_.end();
    if (!known && !seed.empty() && seed != self_->address()) seeds_.push_back(seed);
  }
  if (alone() && !seeds_.empty()) next_join_ = now;
}

void Membership::Assume(const std::vector<StatementRef>& members) {
  members_.Reserve(members.size());
  for (const StatementRef& member : members) {
    if (member->address() != self_->address() &&
        members_.Find(member->address()) == MemberTable::kNone) {
      members_.Add(MemberRecord{member});
    }
  }
}

Instant Membership::NextTick() const {
  const bool to_tell = (!queue_.empty() && !alone()) || !ask_next_.empty();
  Instant next = to_tell ? next_gossip_ : absl::InfiniteDuration();
  if (leaving_) return next;
  next = std::min({next, prober_.NextTick(), suspicions_.NextDue()});
  if (alone()) next = std::min(next, next_join_);
  if (metadata_ != self_->metadata()) next = std::min(next, metadata_allowed_);
  return std::min({next, next_exchange_, next_seek_});
}

void Membership::Tick(Instant now) {
  const Instant due = NextTick();
  now_ = now;
  if (due > now) return;
  if (!leaving_) {
    // Whoever could not run at all must not judge others by what it did not hear meanwhile.
    if (const absl::Duration late = now - due; late > options_.probe.timeout) {
      prober_.OnStall(now);
      suspicions_.Postpone(late);
    }
    JudgeSuspects();
    prober_.Tick(now);
    PublishMetadata();
    if (alone() && next_join_ <= now) AskSeeds();
    if (next_exchange_ <= now) Exchange();
    if (next_seek_ <= now) SeekLost();
  }
  if (next_gossip_ <= now) Gossip();
}

void Membership::Leave(Instant now) {
  now_ = now;
  if (std::exchange(leaving_, true)) return;
  self_ = StatementRef::Make(self_->address(), self_->incarnation() + 1, self_->metadata());
  Tell(MemberUpdate{self_, MemberState::kLeft}, UpdateQueue::Lane::kState);
}

bool Membership::LeaveTold() const { return leaving_ && (alone() || !queue_.Holds(*self_)); }

void Membership::SetMetadata(Instant now, MemberMetadata metadata) {
  now_ = now;
  metadata_ = std::move(metadata);
  metadata_allowed_ = std::max(metadata_allowed_, now);
}

void Membership::Broadcast(Instant now, std::string payload) {
  now_ = now;
  OnBroadcasts({std::move(payload)});
}

absl::Duration Membership::Age(Instant now, const MemberRecord& record) const {
  return std::max(now - start_ - record.since * kTenth, absl::ZeroDuration());
}

uint32_t Membership::Tenths() const { return static_cast<uint32_t>((now_ - start_) / kTenth); }

// What arrives.

struct Membership::Dispatch {
  Membership& membership;
  const std::string& from;

  void operator()(const GossipMessage&) const {}
  void operator()(const PingMessage& ping) const {
    if (ping.target == membership.self_->address()) {
      membership.Acknowledge(from, AckMessage{ping.sequence});
    }
  }
  void operator()(const AckMessage& ack) const { membership.prober_.OnAck(ack); }
  void operator()(const PingRequestMessage& request) const {
    membership.prober_.OnPingRequest(membership.now_, from, request);
  }
  void operator()(const NackMessage& nack) const { membership.prober_.OnNack(nack); }
  void operator()(const DigestMessage& digest) const { membership.OnDigest(from, digest); }
  void operator()(const StateMessage& state) const { membership.OnState(from, state); }
};

void Membership::OnMessage(Instant now, const std::string& from, const MembershipMessage& message) {
  now_ = now;
  // A copy of this member's own address in a list of seeds, or a fool.
  if (from == self_->address()) return;
  for (const MemberUpdate& update : message.updates) Apply(update);
  Correct(from, message.updates);
  OnBroadcasts(message.broadcasts);
  if (members_.Find(from) == MemberTable::kNone) AskLater(from);  // it knows this one, after all
  absl::visit(Dispatch{*this, from}, message.body);
}

void Membership::Correct(const std::string& from, const std::vector<MemberUpdate>& updates) {
  MembershipMessage correction;
  for (const MemberUpdate& update : updates) {
    const bool accusation =
        update.state == MemberState::kSuspect || update.state == MemberState::kDead;
    if (!accusation || correction.updates.size() == kMaxCorrections) continue;
    const MemberTable::Index index = members_.Find(update.statement->address());
    if (index == MemberTable::kNone) continue;
    const MemberRecord& known = members_[index];
    if (known.state == MemberState::kAlive &&
        known.statement->incarnation() > update.statement->incarnation()) {
      correction.updates.push_back(MemberUpdate{known.statement, known.state});
    }
  }
  if (!correction.updates.empty()) Send(from, std::move(correction));
}

void Membership::OnDigest(const std::string& from, const DigestMessage& digest) {
  if (!absl::has_single_bit(digest.sums.size()) ||
      digest.sums.size() > DigestMessage::kMaxBuckets) {
    return;
  }
  absl::optional<StateMessage> answer = AnswerToDigest(members_, leaving_ ? StatementRef() : self_,
                                                       digest, options_.max_state_bytes, random_);
  if (!answer) return;
  MembershipMessage message(*std::move(answer));
  AddSelf(message);
  Send(from, std::move(message));
}

void Membership::OnState(const std::string& from, const StateMessage& state) {
  const uint64_t before = belief_changes_;
  const uint64_t sender = AddressHash(from);
  for (const MemberUpdate& told : state.members) {
    MemberUpdate update = told;
    const MemberTable::Index index = members_.Find(told.statement->address());
    if (told.state == MemberState::kDead && index != MemberTable::kNone &&
        members_[index].present()) {
      // Two sides of a healed partition take each other for dead. Whoever is alive gets the time
      // to say so.
      update.state = MemberState::kSuspect;
      update.accuser = sender;
    }
    Apply(update);
  }
  if (state.wants_answer && absl::has_single_bit(state.covered.size())) {
    StateMessage answer;
    answer.members =
        NewerThan(members_, leaving_ ? StatementRef() : self_, state, options_.max_state_bytes);
    if (!answer.members.empty()) Send(from, MembershipMessage(std::move(answer)));
  }
  // Where again and again nothing comes of it, the rest will not help either.
  fruitless_states_ = belief_changes_ == before ? fruitless_states_ + 1 : 0;
  if (state.more && fruitless_states_ < kMaxFruitless) AskLater(from);
}

void Membership::OnBroadcasts(const std::vector<std::string>& broadcasts) {
  for (const std::string& payload : broadcasts) {
    const uint64_t hash = XXH3_64bits(payload.data(), payload.size());
    if (payload.size() > kMaxBroadcastBytes || !seen_broadcasts_.insert(hash).second) continue;
    seen_order_.push_back(hash);
    if (seen_order_.size() > kSeenBroadcasts) {
      seen_broadcasts_.erase(seen_order_.front());
      seen_order_.pop_front();
    }
    next_gossip_ = std::max(next_gossip_, now_);
    queue_.Put(payload);
    observer_.OnBroadcast(payload);
  }
}

// What is believed.

void Membership::Apply(const MemberUpdate& update) {
  const MemberStatement& statement = *update.statement;
  if (!statement.Valid()) return;
  if (statement.address() == self_->address()) return ApplyToSelf(update);
  const MemberTable::Index index = members_.Find(statement.address());
  if (index == MemberTable::kNone) return AddMember(update);
  const MemberRecord& record = members_[index];
  if (Outranks(statement, update.state, *record.statement, record.state)) {
    Change(index, update);
  } else if (update.state == MemberState::kSuspect && record.state == MemberState::kSuspect &&
             statement.incarnation() == record.statement->incarnation()) {
    Suspect(update);
  }
}

void Membership::ApplyToSelf(const MemberUpdate& update) {
  const MemberStatement& told = *update.statement;
  const bool accused = update.state != MemberState::kAlive;
  if (leaving_) return;
  if (told.incarnation() < self_->incarnation()) {
    if (accused) Tell(MemberUpdate{self_, MemberState::kAlive}, UpdateQueue::Lane::kState);
    return;
  }
  const bool same =
      told.incarnation() == self_->incarnation() && told.metadata() == self_->metadata();
  if (same && !accused) return;
  if (accused) {
    ++refutations_;
    prober_.health().Raise(1);
  }
  Restate(told.incarnation() + 1, self_->metadata(), UpdateQueue::Lane::kState);
}

void Membership::AddMember(const MemberUpdate& update) {
  // The dead are news only to who knew them alive.
  const bool present = update.state == MemberState::kAlive || update.state == MemberState::kSuspect;
  if (!present || members_.present() >= options_.max_members) return;
  if (members_.size() >= 2 * options_.max_members) return;  // most of them dead
  ++belief_changes_;
  members_.Add(MemberRecord{update.statement, Tenths(), MemberState::kAlive});
  join_backoff_ = options_.join_backoff;
  Tell(MemberUpdate{update.statement, MemberState::kAlive}, UpdateQueue::Lane::kState);
  observer_.OnMember(MemberChange::kJoined, update.statement);
  if (update.state == MemberState::kSuspect) Apply(update);
}

void Membership::Change(MemberTable::Index index, const MemberUpdate& update) {
  ++belief_changes_;
  const MemberRecord before = members_[index];
  const bool same_state = before.state == update.state;
  members_.Set(index,
               MemberRecord{update.statement, same_state ? before.since : Tenths(), update.state});
  if (before.state == MemberState::kSuspect) suspicions_.End(*before.statement);
  const bool present_now = members_[index].present();
  const bool metadata_only = same_state && update.state == MemberState::kAlive;
  if (!before.present() && present_now) {
    observer_.OnMember(MemberChange::kJoined, update.statement);
  }
  switch (update.state) {
    case MemberState::kAlive:
      if (before.present()) observer_.OnMember(MemberChange::kUpdated, update.statement);
      break;
    case MemberState::kSuspect:
      ++suspicion_count_;
      observer_.OnMember(MemberChange::kSuspected, update.statement);
      return Suspect(update);
    case MemberState::kDead:
      if (before.present()) observer_.OnMember(MemberChange::kDied, update.statement);
      break;
    case MemberState::kLeft:
      if (before.present()) observer_.OnMember(MemberChange::kLeft, update.statement);
      break;
  }
  if (alone() && !seeds_.empty()) next_join_ = now_ + join_backoff_;
  Tell(update, metadata_only ? UpdateQueue::Lane::kMetadata : UpdateQueue::Lane::kState);
}

void Membership::Suspect(const MemberUpdate& update) {
  if (suspicions_.Add(now_, update.statement, update.accuser, fleet_size())) {
    Tell(update, UpdateQueue::Lane::kState);
  }
}

void Membership::JudgeSuspects() {
  Suspicions::Due due;
  while (const StatementRef suspect = suspicions_.TakeDue(now_, due)) {
    if (due == Suspicions::Due::kOver) {
      Apply(MemberUpdate{suspect, MemberState::kDead});
      continue;
    }
    // Its refutation may have been lost on the way here only.
    for (const std::string& other : Helpers(*suspect, options_.probe.helpers)) {
      MembershipMessage question;
      question.updates.push_back(MemberUpdate{suspect, MemberState::kSuspect, self_hash_});
      Send(other, std::move(question));
    }
  }
}

void Membership::Restate(uint64_t incarnation, MemberMetadata metadata, UpdateQueue::Lane lane) {
  self_ = StatementRef::Make(self_->address(), incarnation, std::move(metadata));
  Tell(MemberUpdate{self_, MemberState::kAlive}, lane);
}

void Membership::ForgetDead() {
  for (MemberTable::Index i = members_.size(); i-- > 0;) {
    const bool crowded = members_.size() - members_.present() > options_.max_members;
    if (members_[i].present()) continue;
    if (crowded || Age(now_, members_[i]) > options_.forget_dead) members_.Remove(i);
  }
}

}  // namespace packice
