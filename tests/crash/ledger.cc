#include "ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace packice {
namespace {

// How late a node may be in taking away what has expired, when the machine is busy.
constexpr absl::Duration kReaping = absl::Seconds(5);

std::string PlaceName(const absl::optional<std::string>& place) {
  return place ? absl::StrCat("at ", *place) : "gone";
}

}  // namespace

Ledger::Record& Ledger::RecordOf(Version version) { return records_.at(version); }

void Ledger::PutAt(Record& record, absl::optional<std::string> place) {
  record.place = std::move(place);
  std::set<Version>& there = there_[record.owner];
  if (record.place) {
    there.insert(record.object.version);
  } else {
    there.erase(record.object.version);
  }
}

void Ledger::Ask(Record& record, absl::optional<std::string> outcome) {
  record.in_flight = true;
  record.outcome = std::move(outcome);
}

void Ledger::Answer(Record& record) {
  record.in_flight = false;
  PutAt(record, record.outcome);
  ++answered_;
}

TestObject Ledger::Begin(int owner, const std::string& id, std::vector<uint64_t> sizes,
                         absl::optional<absl::Duration> ttl) {
  MutexLock lock(mutex_);
  Record& record = records_[++last_];
  record.object = {last_, std::move(sizes)};
  record.owner = owner;
  record.created_as = id;
  record.ttl = ttl;
  return record.object;
}

void Ledger::Sealing(Version version) {
  MutexLock lock(mutex_);
  Record& record = RecordOf(version);
  Ask(record, record.created_as);
  if (record.ttl) record.stays_until = absl::Now() + *record.ttl;
}

void Ledger::Sealed(Version version) {
  MutexLock lock(mutex_);
  Record& record = RecordOf(version);
  Answer(record);
  if (record.ttl) record.gone_by = absl::Now() + *record.ttl;
}

void Ledger::Discarding(Version version) {
  MutexLock lock(mutex_);
  Ask(RecordOf(version), absl::nullopt);
}

void Ledger::Discarded(Version version) {
  MutexLock lock(mutex_);
  Answer(RecordOf(version));
}

void Ledger::Moving(Version version, const std::string& to) {
  MutexLock lock(mutex_);
  Ask(RecordOf(version), to);
}

void Ledger::Moved(Version version) {
  MutexLock lock(mutex_);
  Answer(RecordOf(version));
}

void Ledger::Refused(Version version) {
  MutexLock lock(mutex_);
  RecordOf(version).in_flight = false;
}

void Ledger::Expired(Version version) {
  MutexLock lock(mutex_);
  Record& record = RecordOf(version);
  if (absl::Now() > record.stays_until) PutAt(record, absl::nullopt);
}

void Ledger::Evicted(Version version) {
  MutexLock lock(mutex_);
  PutAt(RecordOf(version), absl::nullopt);
  ++evicted_;
}

absl::optional<Ledger::Known> Ledger::Pick(int owner, Random& random) const {
  MutexLock lock(mutex_);
  const auto found = there_.find(owner);
  if (found == there_.end() || found->second.empty()) return absl::nullopt;
  auto version = found->second.begin();
  std::advance(version, random() % found->second.size());
  const Record& record = records_.at(*version);
  if (record.in_flight) return absl::nullopt;
  return Known{record.object, *record.place, absl::Now() + absl::Seconds(2) > record.stays_until};
}

size_t Ledger::CountOf(int owner) const {
  MutexLock lock(mutex_);
  const auto found = there_.find(owner);
  return found == there_.end() ? 0 : found->second.size();
}

uint64_t Ledger::answered() const {
  MutexLock lock(mutex_);
  return answered_;
}

absl::optional<TestObject> Ledger::Find(Version version) const {
  MutexLock lock(mutex_);
  const auto found = records_.find(version);
  if (found == records_.end()) return absl::nullopt;
  return found->second.object;
}

std::string Ledger::Judge(Record& record, const Sighting* sighting, int64_t& evictions) {
  const absl::Time now = absl::Now();
  const absl::optional<std::string> seen =
      sighting == nullptr ? absl::nullopt : absl::make_optional(sighting->id);
  // A seal that was not answered happened before now, or not at all.
  if (record.in_flight && record.ttl && record.gone_by == absl::InfiniteFuture()) {
    record.gone_by = now + *record.ttl;
  }
  std::string complaint;
  const bool expected = seen == record.place || (record.in_flight && seen == record.outcome);
  const bool expired = !seen && now > record.stays_until;
  const bool evicted = !seen && !expected && !expired && evictions-- > 0;
  if (!expected && !expired && !evicted) {
    complaint = absl::StrCat("is ", PlaceName(seen), ", but was ", PlaceName(record.place));
    if (record.in_flight) absl::StrAppend(&complaint, " or ", PlaceName(record.outcome));
  } else if (sighting != nullptr && !sighting->complaint.empty()) {
    complaint = sighting->complaint;
  } else if (seen && now > record.gone_by + kReaping) {
    complaint = "is there although it has expired";
  } else if (seen && sighting->expires_at.has_value() != record.ttl.has_value()) {
    complaint = "has lost its time to live, or got one";
  } else if (seen && record.ttl &&
             (*sighting->expires_at < record.stays_until - absl::Milliseconds(1) ||
              *sighting->expires_at > record.gone_by + absl::Milliseconds(1))) {
    complaint = "expires at another time";
  }
  if (seen && record.ttl && sighting->expires_at) {
    record.stays_until = record.gone_by = *sighting->expires_at;
  }
  record.in_flight = false;
  PutAt(record, seen);
  if (complaint.empty()) return "";
  return absl::StrCat("object ", record.object.version, " ", complaint);
}

std::vector<std::string> Ledger::Settle(const std::vector<Sighting>& sightings, int64_t evictions) {
  MutexLock lock(mutex_);
  evictions -= std::exchange(evicted_, 0);
  std::vector<std::string> complaints;
  std::map<Version, const Sighting*> seen;
  for (const Sighting& sighting : sightings) {
    if (records_.count(sighting.version) == 0) {
      complaints.push_back(absl::StrCat("nobody has put what is at ", sighting.id));
    } else if (!seen.emplace(sighting.version, &sighting).second) {
      complaints.push_back(absl::StrCat("object ", sighting.version, " is at ", sighting.id,
                                        " and at ", seen[sighting.version]->id));
    }
  }
  for (auto& [version, record] : records_) {
    const auto found = seen.find(version);
    const std::string complaint =
        Judge(record, found == seen.end() ? nullptr : found->second, evictions);
    if (!complaint.empty()) complaints.push_back(complaint);
  }
  return complaints;
}

}  // namespace packice
