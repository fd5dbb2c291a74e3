#include "lease_stripe.h"

namespace packice {
namespace {

int64_t CeilNanoseconds(Instant instant) {
  return absl::ToInt64Nanoseconds(absl::Ceil(instant, absl::Nanoseconds(1)));
}

}  // namespace

bool LeaseStripe::Add(const Lease& lease, bool exclusive) {
  Entry entry{lease, exclusive};  // copied before the lock
  MutexLock lock(mutex_);
  const auto [at, added] = entries_.try_emplace(lease.id, std::move(entry));
  if (!added) return false;
  Join(at->second);
  Schedule(lease);
  ++Count(lease.access);
  return true;
}

absl::optional<Lease> LeaseStripe::FindLive(const LeaseId& id, const Clock& clock) const {
  MutexLock lock(mutex_);
  const Entry* entry = Live(id, clock);
  if (entry == nullptr) return absl::nullopt;
  return entry->lease;
}

bool LeaseStripe::IsLiveAndExclusive(const LeaseId& id, const Clock& clock) const {
  MutexLock lock(mutex_);
  const Entry* entry = Live(id, clock);
  return entry != nullptr && entry->exclusive;
}

absl::optional<Lease> LeaseStripe::Share(const LeaseId& id, const Clock& clock) {
  MutexLock lock(mutex_);
  if (Live(id, clock) == nullptr) return absl::nullopt;
  Entry& entry = entries_.find(id)->second;
  if (entry.lease.access == Access::kCreate) entry.exclusive = false;
  return entry.lease;
}

bool LeaseStripe::Extend(const LeaseId& id, absl::Duration ttl, Instant deadline,
                         const Clock& clock) {
  MutexLock lock(mutex_);
  if (Live(id, clock) == nullptr) return false;
  Entry& entry = entries_.find(id)->second;
  Unschedule(entry.lease);
  entry.lease.ttl = ttl;
  entry.lease.deadline = deadline;
  Schedule(entry.lease);
  if (ttl != absl::InfiniteDuration()) {
    Part(entry);
    entry.lease.session = SessionId::kNone;
  }
  return true;
}

absl::optional<Lease> LeaseStripe::Take(const LeaseId& id) {
  MutexLock lock(mutex_);
  const auto at = entries_.find(id);
  if (at == entries_.end()) return absl::nullopt;
  return TakeOut(at);
}

void LeaseStripe::TakeExpired(Instant now, size_t max, std::vector<Lease>& taken) {
  if (next_.load(std::memory_order_acquire) > CeilNanoseconds(now)) return;
  MutexLock lock(mutex_);
  while (taken.size() < max && !deadlines_.empty()) {
    const auto [deadline, id] = *deadlines_.begin();
    if (deadline > now) break;
    taken.push_back(TakeOut(entries_.find(id)));
  }
}

void LeaseStripe::TakeSession(SessionId session, std::vector<Lease>& taken) {
  MutexLock lock(mutex_);
  for (auto at = sessions_.find(session); at != sessions_.end(); at = sessions_.find(session)) {
    taken.push_back(TakeOut(entries_.find(at->second.back())));
  }
}

Instant LeaseStripe::next_deadline() const {
  const int64_t next = next_.load(std::memory_order_acquire);
  return next == kNever ? absl::InfiniteDuration() : absl::Nanoseconds(next);
}

void LeaseStripe::AddCounts(LeaseCounts& sum) const {
  MutexLock lock(mutex_);
  sum.read += counts_.read;
  sum.create += counts_.create;
  sum.write += counts_.write;
}

void LeaseStripe::ForEachLive(absl::FunctionRef<void(const Lease&)> visit,
                              const Clock& clock) const {
  const Instant now = clock.Now();
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry.lease.deadline > now) visit(entry.lease);
  }
}

const LeaseStripe::Entry* LeaseStripe::Live(const LeaseId& id, const Clock& clock) const {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return nullptr;
  const Instant deadline = at->second.lease.deadline;
  // The clock is asked only where it matters.
  if (deadline != absl::InfiniteDuration() && deadline <= clock.Now()) return nullptr;
  return &at->second;
}

Lease LeaseStripe::TakeOut(Entries::iterator at) {
  Part(at->second);
  Unschedule(at->second.lease);
  --Count(at->second.lease.access);
  Lease lease = std::move(at->second.lease);
  entries_.erase(at);
  return lease;
}

void LeaseStripe::Join(Entry& entry) {
  if (entry.lease.session == SessionId::kNone) return;
  auto& members = sessions_[entry.lease.session];
  entry.member = members.size();
  members.push_back(entry.lease.id);
}

void LeaseStripe::Part(const Entry& entry) {
  if (entry.lease.session == SessionId::kNone) return;
  const auto at = sessions_.find(entry.lease.session);
  auto& members = at->second;
  if (entry.member + 1 != members.size()) {
    // The last one takes its place.
    members[entry.member] = members.back();
    entries_.find(members.back())->second.member = entry.member;
  }
  members.pop_back();
  if (members.empty()) sessions_.erase(at);
}

void LeaseStripe::Schedule(const Lease& lease) {
  if (lease.deadline == absl::InfiniteDuration()) return;
  deadlines_.emplace(lease.deadline, lease.id);
  SetNext();
}

void LeaseStripe::Unschedule(const Lease& lease) {
  if (lease.deadline == absl::InfiniteDuration()) return;
  deadlines_.erase({lease.deadline, lease.id});
  SetNext();
}

void LeaseStripe::SetNext() {
  next_.store(deadlines_.empty() ? kNever : CeilNanoseconds(deadlines_.begin()->first),
              std::memory_order_release);
}

uint64_t& LeaseStripe::Count(Access access) {
  switch (access) {
    case Access::kCreate:
      return counts_.create;
    case Access::kWrite:
      return counts_.write;
    case Access::kRead:
      break;
  }
  return counts_.read;
}

}  // namespace packice
