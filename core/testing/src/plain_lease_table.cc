#include "packice/core/testing/plain_lease_table.h"

#include <algorithm>

#include "packice/core/error.h"

namespace packice {
namespace {

absl::Status Gone() { return MakeError(ErrorKind::kLeaseExpired, "the lease is unknown or over"); }

}  // namespace

const PlainLeaseTable::Entry* PlainLeaseTable::FindLive(const LeaseId& id) const {
  const auto it = entries_.find(id);
  return it != entries_.end() && IsLive(it->second.lease) ? &it->second : nullptr;
}

PlainLeaseTable::Entry* PlainLeaseTable::FindLive(const LeaseId& id) {
  const auto it = entries_.find(id);
  return it != entries_.end() && IsLive(it->second.lease) ? &it->second : nullptr;
}

absl::Status PlainLeaseTable::Insert(const Lease& lease) {
  const bool exclusive = lease.access != Access::kRead;
  MutexLock lock(mutex_);
  for (const auto& [id, other] : entries_) {
    if (exclusive && other.exclusive && other.lease.object_id == lease.object_id &&
        IsLive(other.lease)) {
      return MakeError(ErrorKind::kBusy, "another exclusive lease on the object lives");
    }
  }
  entries_[lease.id] = Entry{lease, exclusive};
  return absl::OkStatus();
}

absl::StatusOr<Lease> PlainLeaseTable::Find(const LeaseId& id) const {
  MutexLock lock(mutex_);
  const Entry* entry = FindLive(id);
  if (entry == nullptr) return Gone();
  return entry->lease;
}

absl::Status PlainLeaseTable::Share(const LeaseId& id) {
  MutexLock lock(mutex_);
  Entry* entry = FindLive(id);
  if (entry == nullptr) return Gone();
  entry->exclusive = false;
  return absl::OkStatus();
}

absl::Status PlainLeaseTable::Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) {
  MutexLock lock(mutex_);
  Entry* entry = FindLive(id);
  if (entry == nullptr) return Gone();
  entry->lease.ttl = ttl;
  entry->lease.deadline = deadline;
  entry->lease.session = SessionId::kNone;
  return absl::OkStatus();
}

absl::optional<Lease> PlainLeaseTable::Remove(const LeaseId& id) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::nullopt;
  Lease lease = it->second.lease;
  entries_.erase(it);
  return lease;
}

std::vector<Lease> PlainLeaseTable::RemoveExpired(Instant now, size_t max) {
  MutexLock lock(mutex_);
  std::vector<Lease> removed;
  for (auto it = entries_.begin(); it != entries_.end() && removed.size() < max;) {
    if (it->second.lease.deadline > now) {
      ++it;
      continue;
    }
    removed.push_back(it->second.lease);
    it = entries_.erase(it);
  }
  return removed;
}

std::vector<Lease> PlainLeaseTable::RemoveSession(SessionId session) {
  MutexLock lock(mutex_);
  std::vector<Lease> removed;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.lease.session != session) {
      ++it;
      continue;
    }
    removed.push_back(it->second.lease);
    it = entries_.erase(it);
  }
  return removed;
}

Instant PlainLeaseTable::NextDeadline() const {
  MutexLock lock(mutex_);
  Instant next = absl::InfiniteDuration();
  for (const auto& [id, entry] : entries_) next = std::min(next, entry.lease.deadline);
  return next;
}

void PlainLeaseTable::ForEach(absl::FunctionRef<void(const Lease&)> visit) const {
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (IsLive(entry.lease)) visit(entry.lease);
  }
}

LeaseCounts PlainLeaseTable::Counts() const {
  MutexLock lock(mutex_);
  LeaseCounts counts;
  for (const auto& [id, entry] : entries_) {
    switch (entry.lease.access) {
      case Access::kRead:
        ++counts.read;
        break;
      case Access::kCreate:
        ++counts.create;
        break;
      case Access::kWrite:
        ++counts.write;
        break;
    }
  }
  return counts;
}

}  // namespace packice
