// The members that are suspected, and until when each may still say that it lives. The more members
// suspect it on their own account, the sooner its time is over (Lifeguard's dynamic suspicion
// timeout). Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "member_statement.h"
#include "packice/core/clock.h"

namespace packice {

struct SuspicionOptions {
  double factor = 4;         // shortest time: so many periods, times log10 of the members if over 1
  double max_factor = 6;     // longest time: so many times the shortest
  size_t confirmations = 3;  // that bring it down to the shortest
  // No suspicion is shorter, however many confirm it: a process that was stopped for less than that
  // is not dead.
  absl::Duration patience = absl::Seconds(12);
};

// How long a suspicion lasts that `confirmed` members share with the first of `members` in all.
absl::Duration SuspicionTimeout(const SuspicionOptions& options, absl::Duration period,
                                size_t members, size_t confirmed);

class Suspicions {
 public:
  // The accuser where it is only known that somebody suspects.
  static constexpr uint64_t kHearsay = 0;

  explicit Suspicions(SuspicionOptions options, absl::Duration period)
      : options_(options), period_(period) {}

  // A suspicion by `accuser`, in a fleet of so many. Whether that is news: the member was not
  // suspected, or by others only and by too few.
  bool Add(Instant now, const StatementRef& suspect, uint64_t accuser, size_t members);
  void End(const MemberStatement& suspect);

  // When TakeDue has something; infinite: never.
  Instant NextDue() const;
  // A suspicion about which something is to be done; nothing if there is none. kLastCall: its time
  // is over in a period, and it is good to ask whether others know better. kOver: its time is over,
  // and it has been taken out.
  enum class Due { kLastCall, kOver };
  StatementRef TakeDue(Instant now, Due& due);
  // Nothing could be heard for so long.
  void Postpone(absl::Duration by);

  size_t size() const { return suspicions_.size(); }

 private:
  struct Suspicion {
    StatementRef suspect;
    Instant start;
    Instant due;
    bool last_call = false;  // has been
    size_t members = 0;      // when it began
    absl::InlinedVector<uint64_t, 4> accusers;
  };

  absl::Duration Timeout(const Suspicion& suspicion) const;
  void SetDue(uint64_t key, Suspicion& suspicion, Instant due);

  const SuspicionOptions options_;
  const absl::Duration period_;
  std::map<uint64_t, Suspicion> suspicions_;  // by AddressHash
  std::set<std::pair<Instant, uint64_t>> due_;
};

}  // namespace packice
