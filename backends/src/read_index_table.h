// One table of a read index: memory that readers map, and the node's way to change it.
//
// Owned by ReadIndex, whose lock guards it: one writer at a time, any readers. Never grows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/mapping.h"
#include "packice/core/random.h"
#include "packice/core/unique_fd.h"
#include "read_index_arena.h"
#include "read_index_key.h"
#include "read_index_layout.h"

namespace packice {

class ReadIndexTable {
 public:
  // Of at least `slots`. Fails as ReadIndex::Create does. Takes memory only as it fills.
  static absl::StatusOr<std::unique_ptr<ReadIndexTable>> Create(uint64_t slots, uint64_t seed,
                                                                RandomSource& random);

  // Puts the key's id there with the where (but for its low bits), extent and expiry of `fields`,
  // instead of its old entry if it has one. False when it has none and there is no place.
  bool Put(const IdKey& key, const SlotFields& fields);
  bool Remove(const IdKey& key);
  // For a Put or Remove that comes soon.
  void Prefetch(const IdKey& key) const;

  // Readers are not to go by this table any more.
  void End(ReadIndexState state) { EndTable<RealMemory>(header_->state, state); }

  // Of a slot; the fields may be empty.
  SlotFields At(uint64_t slot) const;
  uint64_t VersionAt(uint64_t slot) const;
  std::string IdAt(const SlotFields& fields) const { return IdOf(fields, arena_words_); }

  // Slots that entries moved to, to make room, since this was last called.
  std::vector<uint64_t> TakeMoves() { return std::exchange(moves_, {}); }

  uint64_t slots() const { return slots_.size(); }
  uint64_t entries() const { return entries_; }
  uint64_t bytes() const;
  const std::shared_ptr<const UniqueFd>& descriptor() const { return descriptor_; }

 private:
  ReadIndexTable(UniqueFd fd, Mapping mapping, uint64_t first_version);

  absl::optional<uint64_t> Find(const IdKey& key) const;
  absl::optional<uint64_t> FreeIn(uint64_t bucket, uint64_t hash) const;
  // Empties a slot of a full bucket by moving its entry to that entry's other bucket, and others
  // out of its way if `depth` is more than 1.
  absl::optional<uint64_t> MakeRoomIn(uint64_t bucket, int depth);
  void Move(uint64_t from, uint64_t to);
  // That a change of the slot makes.
  uint64_t NextVersion(uint64_t slot) const;

  const std::shared_ptr<const UniqueFd> descriptor_;
  const Mapping mapping_;
  ReadIndexHeader* const header_;
  const absl::Span<ReadIndexSlot> slots_;
  const absl::Span<ReadIndexWord> arena_words_;
  // Another in each table, so that what a reader of one says of a slot is not taken for another's.
  const uint64_t first_version_;
  ReadIndexArena arena_;
  uint64_t entries_ = 0;
  std::vector<uint64_t> moves_;
};

}  // namespace packice
