// What is known of what the other members hold: their filters, as far as they have been pulled, and
// hints of what came lately. Thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "member_statement.h"
#include "object_filter.h"
#include "packice/core/clock.h"
#include "packice/proto/gossip.pb.h"
#include "split_mix.h"

namespace packice {

class MemberFilters {
 public:
  static constexpr size_t kMaxFilterBytes = 128 << 20;  // of all; further members have none here
  static constexpr size_t kMaxHints = 8192;             // the oldest go

  // Of members that give pieces; others hold nothing.
  void Put(const StatementRef& member);
  void Remove(const std::string& address);

  // Somebody holds it whole from now on, or not any more. False: known, or old.
  bool AddHint(const ObjectId& object_id, const std::string& holder, bool held, uint64_t sequence);

  struct Candidates {
    std::vector<StatementRef> likely;  // a hint or a filter says yes; in the order of hope
    std::vector<StatementRef> others;  // first those whose filter here is old or missing
  };
  Candidates WhoMayHold(const ObjectId& object_id, SplitMix& random) const;
  std::vector<StatementRef> All() const;
  // How many members come before `address` in the order that the object gives all members.
  size_t RankOf(const std::string& address, const ObjectId& object_id) const;

  // A member whose filter has changed and is not being pulled; it is, from now on, until OnFilter
  // or OnPullFailed. Nothing: none.
  struct Pull {
    std::string address;
    uint64_t have = 0;  // the version here; 0: none
  };
  absl::optional<Pull> NextPull(Instant now);
  // Whether it was good. `gained` is told of ids from `asked` that it newly says yes to.
  bool OnFilter(const std::string& address, const gossip::v1::Filter& filter,
                const std::vector<ObjectId>& asked, std::vector<ObjectId>& gained);
  void OnPullFailed(const std::string& address, Instant retry_at);

  size_t size() const { return members_.size(); }
  size_t filter_bytes() const { return filter_bytes_; }

 private:
  struct Entry {
    StatementRef member;
    absl::optional<ObjectFilter> filter;
    uint64_t version = 0;
    bool pulling = false;
    Instant pull_from;

    bool outdated() const { return member->metadata().filter_version > version; }
  };
  struct Hint {
    std::string holder;
    bool held = false;
    uint64_t sequence = 0;
  };

  std::map<std::string, Entry> members_;  // by gossip address
  std::string last_pull_;                 // whose turn it was
  size_t filter_bytes_ = 0;
  absl::flat_hash_map<ObjectId, std::vector<Hint>> hints_;
  std::deque<ObjectId> hint_order_;  // of these, the oldest first
};

}  // namespace packice
