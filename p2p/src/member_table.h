// What one member believes of the others. Thread-compatible.
//
// A member of a fleet of thousands has thousands of these records, so they are small: 16 bytes, 5
// to 10 for the index, and 4 in the order of probing.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "member_statement.h"
#include "packice/p2p/gossip_node.h"
#include "split_mix.h"

namespace packice {

struct MemberRecord {
  StatementRef statement;
  uint32_t since = 0;  // when its state changed: tenths of a second on the owner's scale
  MemberState state = MemberState::kAlive;

  // Counted among the fleet.
  bool present() const { return state == MemberState::kAlive || state == MemberState::kSuspect; }
};
static_assert(sizeof(MemberRecord) == 16, "kept for each member by each member");

class MemberTable {
 public:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;

  explicit MemberTable(SplitMix& random)
      : index_(0, Hash{&records_}, Equal{&records_}), random_(random) {}
  MemberTable(const MemberTable&) = delete;
  MemberTable& operator=(const MemberTable&) = delete;

  void Reserve(size_t members);
  Index Find(absl::string_view address) const;
  Index Add(MemberRecord record);
  void Set(Index index, MemberRecord record);
  // The last one gets its index.
  void Remove(Index index);

  const MemberRecord& operator[](Index index) const { return records_[index]; }
  Index size() const { return static_cast<Index>(records_.size()); }
  size_t present() const { return present_; }

  // Each present member once in a round, in an order that is shuffled for each round; one that
  // comes meanwhile gets a random place in it. kNone: there are none.
  Index NextInTurn();

  // Up to `count` different ones that `wanted` takes, at random.
  template <typename Wanted>
  std::vector<Index> Sample(size_t count, const Wanted& wanted) const;

 private:
  struct Key {
    uint64_t hash;
    absl::string_view address;
  };
  struct Hash {
    using is_transparent = void;
    const std::vector<MemberRecord>* records;
    size_t operator()(Index index) const { return (*records)[index].statement->address_hash(); }
    size_t operator()(const Key& key) const { return key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<MemberRecord>* records;
    bool operator()(Index a, Index b) const { return a == b; }
    bool operator()(Index a, const Key& b) const {
      return (*records)[a].statement->address() == b.address;
    }
    bool operator()(const Key& a, Index b) const { return (*this)(b, a); }
  };

  std::vector<MemberRecord> records_;
  absl::flat_hash_set<Index, Hash, Equal> index_;
  std::vector<Index> turns_;
  size_t next_turn_ = 0;
  size_t present_ = 0;
  SplitMix& random_;
};

template <typename Wanted>
std::vector<MemberTable::Index> MemberTable::Sample(size_t count, const Wanted& wanted) const {
  std::vector<Index> sample;
  const auto take = [&](Index index) {
    for (Index taken : sample) {
      if (taken == index) return;
    }
    if (wanted(records_[index])) sample.push_back(index);
  };
  if (records_.empty()) return sample;
  for (size_t tries = 4 * count; tries > 0 && sample.size() < count; --tries) {
    take(static_cast<Index>(random_.Below(records_.size())));
  }
  // Few are wanted of many: look at all, from anywhere on.
  const Index start = static_cast<Index>(random_.Below(records_.size()));
  for (Index i = 0; i < records_.size() && sample.size() < count; ++i) {
    take(static_cast<Index>((start + i) % records_.size()));
  }
  return sample;
}

}  // namespace packice
