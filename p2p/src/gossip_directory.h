// The directory of a fleet without trackers: each member tells by a small filter what it may hold,
// and says on being asked what it does hold.
//
// Which content an id stands for is a vote of those who were asked and hold something under it: the
// content with the most holders counts, of equals the one sealed last. So a single member cannot
// vouch for bytes of its own where others hold the object, too; where it is the only one, there is
// nobody else to ask.
//
// Thread-safe. Watches hear of changes on the thread of Work and on those that bring answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "directory_watches.h"
#include "holder_query.h"
#include "member_filters.h"
#include "membership.h"
#include "origin_turns.h"
#include "own_holdings.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/p2p/directory.h"

namespace packice {

struct GossipDirectoryOptions {
  std::string gossip_address;  // of this member
  std::string address;         // where it gives pieces
  std::string zone;
  // How often filters are looked after: what is withdrawn, what is to be pulled.
  absl::Duration interval = absl::Seconds(1);
  double pull_bytes_per_second = 1 << 20;
  double hints_per_second = 50;
  uint64_t seed = 1;
  Clock* clock = &Clock::System();
};

class GossipDirectory final : public Directory {
 public:
  // What it needs of its member. `ask` and `spread` are called without locks, `wake` with them.
  struct Fleet {
    AskMember ask;
    std::function<void(std::string hint)> spread;
    std::function<void()> wake;  // Work is due
  };

  struct Figures {
    uint64_t hints = 0;        // members that were asked because of a filter or a hint
    uint64_t false_hints = 0;  // of these, had it not
    uint64_t pulled_bytes = 0;
    size_t objects = 0;  // held by this node
    size_t filter_bytes = 0;
    size_t member_filter_bytes = 0;
    double false_positive_rate = 0;  // of the own filter
  };

  GossipDirectory(GossipDirectoryOptions options, Fleet fleet);

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void Announce(const Holding& holding) override;
  void Withdraw(const ObjectId& object_id) override;
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override;
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

  // From the member, which may hold its lock.
  void OnMember(MemberChange change, const StatementRef& member);
  void OnBroadcast(absl::string_view payload);

  // Answers the question of another member. `invalid_argument`.
  absl::StatusOr<gossip::v1::Envelope> Answer(const gossip::v1::Envelope& question) const;

  // Does what is due. By one thread.
  void Work();
  Instant NextWork() const;

  uint64_t filter_version() const;
  Figures figures() const;

 private:
  static constexpr size_t kPullsAtATime = 4;
  static constexpr size_t kMaxMembersToList = 256;
  static constexpr size_t kMaxListed = 10'000;  // ids in one answer

  Location Conclude(const LocateRequest& request, HolderQuery::Result result);
  void LetToOrigin(const LocateRequest& request, Location& location)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Spread(const ObjectId& object_id, bool held);
  void Changed(const ObjectId& object_id, bool held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AskWhetherGone(const ObjectId& object_id);
  void PullFilters();
  void OnPulled(const std::string& address, absl::StatusOr<gossip::v1::Envelope> answer);

  const GossipDirectoryOptions options_;
  const Fleet fleet_;
  DirectoryWatches watches_;

  mutable Mutex mutex_;
  SplitMix random_ ABSL_GUARDED_BY(mutex_);
  OwnHoldings own_ ABSL_GUARDED_BY(mutex_);
  MemberFilters others_ ABSL_GUARDED_BY(mutex_);
  OriginTurns origin_ ABSL_GUARDED_BY(mutex_);
  std::map<ObjectId, bool> changes_ ABSL_GUARDED_BY(mutex_);  // to tell watches of
  Instant next_tidy_ ABSL_GUARDED_BY(mutex_);
  Instant next_pull_ ABSL_GUARDED_BY(mutex_);
  size_t pulls_ ABSL_GUARDED_BY(mutex_) = 0;  // under way
  double hint_credit_ ABSL_GUARDED_BY(mutex_);
  Instant hint_credit_at_ ABSL_GUARDED_BY(mutex_);
  uint64_t hint_sequence_ ABSL_GUARDED_BY(mutex_);
  Figures figures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
