// An id as the slots of a read index compare it. A value; refers to the id's bytes, so it does not
// outlive them. Thread-compatible.
//
// What matches is the whole id: its length, and its bytes in the slot or in the arena. The hash
// only says where to look and which slots are not worth it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/object_id.h"
#include "read_index_layout.h"

namespace packice {

struct IdKey {
  absl::string_view bytes;
  uint64_t hash = 0;
  uint64_t match = 0;                  // the low bits of SlotFields::where
  std::array<uint64_t, 4> words = {};  // SlotFields::id, but for kLongIdPlace

  bool is_long() const { return bytes.size() > kInlineIdBytes; }
};

// Requires: the id is 1 to 255 bytes long.
IdKey MakeKey(absl::string_view id, uint64_t seed);

inline bool IsIdSize(size_t size) { return size > 0 && size <= ObjectId::kMaxBytes; }
inline size_t WordsOfId(size_t size) { return (size + 7) / 8; }

// Writes the id into the first words, padded with zeros. Requires: it fits.
void StoreId(absl::string_view id, absl::Span<ReadIndexWord> words);

// Whether the words of the arena from `place` on are that id. Any `place` is safe.
bool ArenaHolds(absl::Span<const ReadIndexWord> arena, uint64_t place, absl::string_view id);

// Whether the slot's id is the key's, given that the low bits of `where` match.
inline bool IsId(const IdKey& key, const SlotFields& fields,
                 absl::Span<const ReadIndexWord> arena) {
  if (!key.is_long()) return fields.id == key.words;
  return fields.id[kLongIdHash] == key.hash &&
         ArenaHolds(arena, fields.id[kLongIdPlace], key.bytes);
}

// The id of a slot that is not empty. Requires: nobody changes it meanwhile.
std::string IdOf(const SlotFields& fields, absl::Span<const ReadIndexWord> arena);

}  // namespace packice
