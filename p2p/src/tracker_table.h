// Who holds what, as a tracker keeps it: the decisions, without threads, clocks or sockets. Every
// call takes the time, and chance comes from a seed, so equal calls have equal answers.
//
// Soft state: a node that has not announced for three intervals is gone with all that it held. That
// costs nothing at once: its holdings stop to count, and are swept away bit by bit by the calls
// that follow and by Sweep. No call takes time in proportion to all that is known.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "fault_book.h"
#include "origin_grants.h"
#include "packice/core/clock.h"
#include "packice/proto/tracker.pb.h"
#include "tracker_content.h"
#include "tracker_node.h"

namespace packice {

struct TrackerTableOptions {
  absl::Duration interval = absl::Seconds(15);
  uint32_t origin_grants = 2;
  absl::Duration origin_grant = absl::Seconds(60);
  uint64_t max_holdings = 20'000'000;
  uint64_t max_holdings_of_node = 10'000'000;
  uint64_t seed = 1;
};

class TrackerTable {
 public:
  static constexpr size_t kMaxNodes = 100'000;

  struct Counts {
    uint64_t nodes = 0;
    uint64_t objects = 0;   // contents, to be exact; those not yet swept away among them
    uint64_t holdings = 0;  // likewise
    uint64_t origin_grants = 0;
    uint64_t expired_nodes = 0;
  };
  struct Change {
    std::string object_id;
    bool held = false;
  };
  struct Page {
    std::vector<std::string> object_ids;
    std::string last;   // go on after this
    bool more = false;  // there may be
  };

  explicit TrackerTable(TrackerTableOptions options);
  ~TrackerTable();
  TrackerTable(const TrackerTable&) = delete;
  TrackerTable& operator=(const TrackerTable&) = delete;

  // `invalid_argument` for a message that breaks the protocol: nothing of it is taken. `capacity`
  // where there are too many nodes.
  absl::StatusOr<tracker::v1::AnnounceResponse> Announce(
      const tracker::v1::AnnounceRequest& request, Instant now);
  absl::Status Withdraw(const tracker::v1::WithdrawRequest& request, Instant now);
  absl::StatusOr<tracker::v1::LocateResponse> Locate(const tracker::v1::LocateRequest& request,
                                                     Instant now);
  absl::Status Report(const tracker::v1::ReportRequest& request, Instant now);

  // What somebody holds whole, in the order of bytes: at most `limit` ids after `after`, of at most
  // `scan` that are looked at.
  Page List(absl::string_view prefix, absl::string_view after, size_t limit, size_t scan,
            Instant now) const;

  // Does at most `steps` of the work that is due. True: there is more.
  bool Sweep(Instant now, size_t steps);

  // Whether changes are kept for TakeChanges; not at first.
  void KeepChanges(bool keep);
  // What has changed since the last call, in order.
  std::vector<Change> TakeChanges() { return std::exchange(changes_, {}); }

  Counts counts() const;

 private:
  using Slot = uint32_t;
  // What a question does of the work that is due, beside its own.
  static constexpr size_t kSweepOfLocate = 16;

  struct ById {
    using is_transparent = void;
    static ContentKey KeyOf(const TrackerContent* content) { return content->key(); }
    static ContentKey KeyOf(const ContentKey& key) { return key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) < KeyOf(b);
    }
  };
  using Contents = absl::btree_set<TrackerContent*, ById>;
  struct Expiry {
    uint32_t expires;
    Slot node;
    TrackerContent* content;
    bool operator<(const Expiry& other) const;
  };
  struct Candidate;

  // --- Nodes (tracker_table_nodes.cc).
  absl::StatusOr<Slot> NodeOf(const tracker::v1::Node& told, Instant now);
  Slot Find(absl::string_view address) const;  // kNobody: none that lives
  void Heard(Slot slot, Instant now);
  // What the node said before its present generation counts no more; it is swept away later.
  void DropOlder(Slot slot);
  void Kill(Slot slot);
  void KillSilent(Instant now);
  void Free(Slot slot);

  // --- Holdings (tracker_table_holdings.cc).
  // False: there is no room.
  bool Hold(Slot slot, const tracker::v1::Holding& holding, Instant now);
  bool IsFull(Slot slot) const;
  void LetGo(Slot slot, absl::string_view object_id);
  void LetGoOfOthers(Slot slot, const TrackerContent* kept);
  void Remove(TrackerContent* content, Slot slot);
  void SetExpiry(TrackerContent* content, ContentHolder& holder, uint32_t expires);
  // The holder begins or ceases to hold all of it.
  void CountComplete(TrackerContent* content, int change);
  bool HeldWhole(absl::string_view object_id) const;
  bool IsLive(const ContentHolder& holder, Instant now) const;
  uint32_t Scale(Instant now) const;
  void RemoveExpired(Instant now, size_t& steps);
  void SweepNodes(size_t& steps);
  void Tidy(Instant now, size_t steps);

  // --- Locate (tracker_table_locate.cc).
  const TrackerContent* WhatCounts(absl::string_view object_id, Instant now) const;
  std::vector<Candidate> Candidates(const TrackerContent& content,
                                    const tracker::v1::LocateRequest& request, Slot asker,
                                    Instant now);
  double Chance();  // 0 to 1

  const TrackerTableOptions options_;
  std::mt19937_64 random_;

  std::deque<TrackerNode> nodes_;
  std::vector<Slot> free_slots_;
  absl::flat_hash_map<std::string, Slot> addresses_;
  absl::btree_set<std::pair<Instant, Slot>> silence_;  // of living nodes, since when
  std::deque<Slot> to_sweep_;

  Contents contents_;  // owned
  uint64_t holdings_ = 0;
  absl::btree_set<Expiry> expiries_;
  FaultBook faults_;
  OriginGrants grants_;
  uint64_t expired_nodes_ = 0;
  bool keep_changes_ = false;
  std::vector<Change> changes_;
};

}  // namespace packice
