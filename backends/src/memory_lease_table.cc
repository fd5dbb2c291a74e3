#include "packice/backends/memory_lease_table.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "lease_stripe.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"

namespace packice {

// Which lease has, or lately had, the exclusive right to an object. The lease itself has the last
// word: a claim whose lease is over, or was shared, stands in nobody's way.
class alignas(64) ClaimStripe {
 public:
  Mutex mutex;  // taken before that of a LeaseStripe
  absl::flat_hash_map<ObjectId, LeaseId> claims ABSL_GUARDED_BY(mutex);
};

namespace {

constexpr size_t kStripes = 64;
constexpr int kStripeBits = 6;
static_assert(kStripes == size_t{1} << kStripeBits);

bool IsExclusive(Access access) { return access != Access::kRead; }

absl::Status Over(const LeaseId& id) {
  return MakeError(ErrorKind::kLeaseExpired,
                   absl::StrCat("lease ", id.ToString(), " is unknown or over; acquire another"));
}

absl::Status Known(const LeaseId& id) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("lease ", id.ToString(), " is in the table already"));
}

}  // namespace

MemoryLeaseTable::MemoryLeaseTable(const Clock& clock)
    : clock_(clock), stripes_(new LeaseStripe[kStripes]), claims_(new ClaimStripe[kStripes]) {}

MemoryLeaseTable::~MemoryLeaseTable() = default;

LeaseStripe& MemoryLeaseTable::StripeOf(const LeaseId& id) const {
  return stripes_[id.low_bits() % kStripes];
}

ClaimStripe& MemoryLeaseTable::ClaimsOf(const ObjectId& object_id) const {
  // The high bits: the map inside the stripe goes by the low ones.
  return claims_[uint64_t{absl::HashOf(object_id)} >> (64 - kStripeBits)];
}

absl::Status MemoryLeaseTable::Insert(const Lease& lease) {
  if (IsExclusive(lease.access)) return InsertExclusive(lease);
  if (!StripeOf(lease.id).Add(lease, /*exclusive=*/false)) return Known(lease.id);
  return absl::OkStatus();
}

absl::Status MemoryLeaseTable::InsertExclusive(const Lease& lease) {
  ClaimStripe& stripe = ClaimsOf(lease.object_id);
  MutexLock lock(stripe.mutex);
  const auto claim = stripe.claims.find(lease.object_id);
  if (claim != stripe.claims.end() &&
      StripeOf(claim->second).IsLiveAndExclusive(claim->second, clock_)) {
    return MakeError(ErrorKind::kBusy,
                     absl::StrCat("another lease creates or writes ", lease.object_id.ToQuoted(),
                                  "; wait until it is over"));
  }
  // Both under the lock: to others a claim without its lease would be void.
  if (!StripeOf(lease.id).Add(lease, /*exclusive=*/true)) return Known(lease.id);
  stripe.claims.insert_or_assign(lease.object_id, lease.id);
  return absl::OkStatus();
}

absl::StatusOr<Lease> MemoryLeaseTable::Find(const LeaseId& id) const {
  absl::optional<Lease> lease = StripeOf(id).FindLive(id, clock_);
  if (!lease.has_value()) return Over(id);
  return *std::move(lease);
}

absl::Status MemoryLeaseTable::Share(const LeaseId& id) {
  const absl::optional<Lease> lease = StripeOf(id).Share(id, clock_);
  if (!lease.has_value()) return Over(id);
  EndClaim(*lease);
  return absl::OkStatus();
}

absl::Status MemoryLeaseTable::Extend(const LeaseId& id, absl::Duration ttl, Instant deadline) {
  return StripeOf(id).Extend(id, ttl, deadline, clock_) ? absl::OkStatus() : Over(id);
}

absl::optional<Lease> MemoryLeaseTable::Remove(const LeaseId& id) {
  absl::optional<Lease> lease = StripeOf(id).Take(id);
  if (lease.has_value()) EndClaim(*lease);
  return lease;
}

std::vector<Lease> MemoryLeaseTable::RemoveExpired(Instant now, size_t max) {
  std::vector<Lease> removed;
  for (size_t i = 0; i < kStripes; ++i) stripes_[i].TakeExpired(now, max, removed);
  for (const Lease& lease : removed) EndClaim(lease);
  return removed;
}

std::vector<Lease> MemoryLeaseTable::RemoveSession(SessionId session) {
  std::vector<Lease> removed;
  for (size_t i = 0; i < kStripes; ++i) stripes_[i].TakeSession(session, removed);
  for (const Lease& lease : removed) EndClaim(lease);
  return removed;
}

Instant MemoryLeaseTable::NextDeadline() const {
  Instant next = absl::InfiniteDuration();
  for (size_t i = 0; i < kStripes; ++i) next = std::min(next, stripes_[i].next_deadline());
  return next;
}

LeaseCounts MemoryLeaseTable::Counts() const {
  LeaseCounts sum;
  for (size_t i = 0; i < kStripes; ++i) stripes_[i].AddCounts(sum);
  return sum;
}

void MemoryLeaseTable::ForEach(absl::FunctionRef<void(const Lease&)> visit) const {
  for (size_t i = 0; i < kStripes; ++i) stripes_[i].ForEachLive(visit, clock_);
}

void MemoryLeaseTable::EndClaim(const Lease& lease) {
  if (!IsExclusive(lease.access)) return;
  ClaimStripe& stripe = ClaimsOf(lease.object_id);
  MutexLock lock(stripe.mutex);
  const auto claim = stripe.claims.find(lease.object_id);
  // Meanwhile somebody else may have taken it.
  if (claim != stripe.claims.end() && claim->second == lease.id) stripe.claims.erase(claim);
}

}  // namespace packice
