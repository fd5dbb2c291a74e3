#include "http_leases.h"

#include "packice/core/error.h"

namespace packice {

void HttpLeases::Track(const LeaseId& id, SessionId session, Instant now) {
  MutexLock lock(mutex_);
  leases_.insert_or_assign(id, Kept{session, now + period_});
}

void HttpLeases::Forget(const LeaseId& id) {
  MutexLock lock(mutex_);
  leases_.erase(id);
}

absl::Status HttpLeases::CheckSession(const LeaseId& id, SessionId session) const {
  MutexLock lock(mutex_);
  const auto it = leases_.find(id);
  if (it == leases_.end() || it->second.session == SessionId::kNone ||
      it->second.session == session) {
    return absl::OkStatus();
  }
  return MakeError(ErrorKind::kPermissionDenied, "the lease belongs to another session");
}

std::vector<LeaseId> HttpLeases::LeasesOf(SessionId session) const {
  std::vector<LeaseId> leases;
  MutexLock lock(mutex_);
  for (const auto& [id, kept] : leases_) {
    if (kept.session == session) leases.push_back(id);
  }
  return leases;
}

std::vector<LeaseId> HttpLeases::All() const {
  std::vector<LeaseId> leases;
  MutexLock lock(mutex_);
  for (const auto& [id, kept] : leases_) leases.push_back(id);
  return leases;
}

void HttpLeases::Suspend(const LeaseId& id) {
  MutexLock lock(mutex_);
  if (const auto it = leases_.find(id); it != leases_.end()) it->second.suspended = true;
}

void HttpLeases::Resume(const LeaseId& id) {
  MutexLock lock(mutex_);
  if (const auto it = leases_.find(id); it != leases_.end()) it->second.suspended = false;
}

std::vector<LeaseId> HttpLeases::TakeDue(Instant now) {
  std::vector<LeaseId> due;
  MutexLock lock(mutex_);
  for (auto& [id, kept] : leases_) {
    if (kept.suspended || kept.due > now) continue;
    kept.due = absl::InfiniteDuration();
    due.push_back(id);
  }
  return due;
}

void HttpLeases::Renewed(const LeaseId& id, Instant when) { SetDue(id, when + period_); }
void HttpLeases::NotRenewed(const LeaseId& id, Instant when) { SetDue(id, when + retry_); }

void HttpLeases::SetDue(const LeaseId& id, Instant due) {
  MutexLock lock(mutex_);
  if (const auto it = leases_.find(id); it != leases_.end()) it->second.due = due;
}

}  // namespace packice
