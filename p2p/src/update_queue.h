// What is still to be told to others, on top of whatever is sent anyway. Thread-compatible.
//
// Each item is told a limited number of times, those first that were told least. What changes who
// is there goes before what members say of themselves, and that before what users spread; so users
// never starve the membership.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "membership_message.h"

namespace packice {

class UpdateQueue {
 public:
  enum class Lane : uint8_t { kState, kMetadata, kUser };
  static constexpr size_t kMaxBroadcasts = 512;  // the oldest go

  // In place of what is queued on the same member.
  void Put(MemberUpdate update, Lane lane);
  void Put(std::string broadcast);

  // Adds what fits into `bytes`. What has been told `limit` times is done with.
  void Fill(MembershipMessage& message, size_t bytes, uint32_t limit);

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  bool Holds(const MemberStatement& member) const;

 private:
  // Lane, how often told, newest first.
  using Key = std::tuple<Lane, uint32_t, uint64_t>;
  struct Item {
    MemberUpdate update;
    std::string broadcast;  // where the lane is kUser
    size_t bytes = 0;
  };

  void Drop(std::map<Key, Item>::iterator item);

  std::map<Key, Item> items_;
  absl::flat_hash_map<uint64_t, Key> by_member_;  // by AddressHash
  uint64_t next_age_ = UINT64_MAX;
  size_t broadcasts_ = 0;
};

}  // namespace packice
