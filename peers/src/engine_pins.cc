// Who holds the room: what a create that finds none is told.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine.h"

namespace packice {
namespace {

std::string Leases(uint64_t count) {
  return absl::StrCat(count, count == 1 ? " lease" : " leases");
}

}  // namespace

absl::Status LocalPeer::Engine::NoRoom(uint64_t bytes, uint64_t used) {
  // Copies first: the objects' locks are not taken below the table's.
  std::vector<Lease> leases;
  leases_->ForEach([&](const Lease& lease) { leases.push_back(lease); });

  uint64_t leased = 0;
  uint64_t leased_by = 0;
  uint64_t written = 0;
  absl::flat_hash_set<uint64_t> seen;
  absl::flat_hash_set<std::pair<SessionId, uint64_t>> seen_with;
  absl::flat_hash_map<SessionId, uint64_t> held;
  for (const Lease& lease : leases) {
    uint64_t charged = 0;
    bool sealed = false;
    {
      Stripe& stripe = objects_.StripeOf(lease.object_id);
      MutexLock lock(stripe.mutex);
      const Record* record = stripe.Find(lease.object_id, lease.incarnation);
      if (record == nullptr || record->charged == 0) continue;
      charged = record->charged;
      sealed = record->sealed();
    }
    if (sealed) ++leased_by;
    if (seen.insert(lease.incarnation).second) (sealed ? leased : written) += charged;
    if (seen_with.insert({lease.session, lease.incarnation}).second) held[lease.session] += charged;
  }

  std::string message =
      absl::StrCat("no room for ", bytes, " bytes: ", used, " of ", *capacity_,
                   " are taken, and nothing may be evicted; ", leased, " are leased by ",
                   Leases(leased_by), ", ", written, " are being written");
  const auto most = std::max_element(
      held.begin(), held.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != held.end()) {
    std::string holder;
    if (most->first == SessionId::kNone) {
      holder = "leases with a TTL";
    } else if (describe_session_) {
      holder = describe_session_(most->first);
    } else {
      holder = absl::StrCat("connection ", static_cast<uint64_t>(most->first));
    }
    absl::StrAppend(&message, "; the most, ", most->second, ", are held by ", holder);
  }
  return MakeError(ErrorKind::kCapacity,
                   absl::StrCat(message, "; release some or raise the capacity"));
}

}  // namespace packice
