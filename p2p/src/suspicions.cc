#include "suspicions.h"

#include <algorithm>
#include <cmath>

namespace packice {

absl::Duration SuspicionTimeout(const SuspicionOptions& options, absl::Duration period,
                                size_t members, size_t confirmed) {
  const double scale = std::max(1.0, std::log10(static_cast<double>(std::max<size_t>(members, 1))));
  const absl::Duration shortest = options.factor * scale * period;
  const absl::Duration longest = options.max_factor * shortest;
  // Neither the suspect nor the first accuser can confirm.
  const size_t possible = std::min(options.confirmations, members > 2 ? members - 2 : 0);
  const double progress = possible == 0 ? 1
                                        : std::log(static_cast<double>(confirmed) + 1) /
                                              std::log(static_cast<double>(possible) + 1);
  const absl::Duration shrunk = longest - progress * (longest - shortest);
  return std::max({shrunk, shortest, options.patience});
}

bool Suspicions::Add(Instant now, const StatementRef& suspect, uint64_t accuser, size_t members) {
  const uint64_t key = suspect->address_hash();
  Suspicion& suspicion = suspicions_[key];
  auto& accusers = suspicion.accusers;
  if (accusers.empty()) {
    suspicion.suspect = suspect;
    suspicion.start = now;
    suspicion.members = members;
  } else {
    const bool known = std::find(accusers.begin(), accusers.end(), accuser) != accusers.end();
    if (known || accuser == kHearsay || accusers.size() > options_.confirmations) return false;
  }
  accusers.push_back(accuser);
  const Instant end = suspicion.start + Timeout(suspicion);
  SetDue(key, suspicion, suspicion.last_call ? std::min(suspicion.due, end) : end - period_);
  return true;
}

void Suspicions::End(const MemberStatement& suspect) {
  const auto found = suspicions_.find(suspect.address_hash());
  if (found == suspicions_.end()) return;
  due_.erase({found->second.due, found->first});
  suspicions_.erase(found);
}

Instant Suspicions::NextDue() const {
  return due_.empty() ? absl::InfiniteDuration() : due_.begin()->first;
}

StatementRef Suspicions::TakeDue(Instant now, Due& due) {
  if (NextDue() > now) return StatementRef();
  const auto found = suspicions_.find(due_.begin()->second);
  StatementRef suspect = found->second.suspect;
  if (found->second.last_call) {
    due = Due::kOver;
    End(*suspect);
  } else {
    due = Due::kLastCall;
    found->second.last_call = true;
    SetDue(found->first, found->second, now + period_);
  }
  return suspect;
}

void Suspicions::Postpone(absl::Duration by) {
  for (auto& [key, suspicion] : suspicions_) {
    suspicion.start += by;
    SetDue(key, suspicion, suspicion.due + by);
  }
}

absl::Duration Suspicions::Timeout(const Suspicion& suspicion) const {
  return SuspicionTimeout(options_, period_, suspicion.members, suspicion.accusers.size() - 1);
}

void Suspicions::SetDue(uint64_t key, Suspicion& suspicion, Instant due) {
  due_.erase({suspicion.due, key});
  suspicion.due = due;
  due_.insert({due, key});
}

}  // namespace packice
