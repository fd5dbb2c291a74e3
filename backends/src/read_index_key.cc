#include "read_index_key.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace packice {
namespace {

// The `nth` eight bytes of the id, padded with zeros.
uint64_t WordOfId(absl::string_view id, size_t nth) {
  uint64_t word = 0;
  std::memcpy(&word, id.data() + nth * 8, std::min<size_t>(8, id.size() - nth * 8));
  return word;
}

}  // namespace

IdKey MakeKey(absl::string_view id, uint64_t seed) {
  IdKey key;
  key.bytes = id;
  key.hash = XXH3_64bits_withSeed(id.data(), id.size(), seed);
  key.match = (key.hash & 0xffff) << 8 | id.size();
  if (key.is_long()) {
    key.words[kLongIdHash] = key.hash;
  } else {
    std::memcpy(key.words.data(), id.data(), id.size());
  }
  return key;
}

void StoreId(absl::string_view id, absl::Span<ReadIndexWord> words) {
  for (size_t i = 0; i < WordsOfId(id.size()); ++i) {
    words[i].store(WordOfId(id, i), std::memory_order_relaxed);
  }
}

bool ArenaHolds(absl::Span<const ReadIndexWord> arena, uint64_t place, absl::string_view id) {
  const size_t words = WordsOfId(id.size());
  if (place > arena.size() || arena.size() - place < words) return false;
  for (size_t i = 0; i < words; ++i) {
    if (arena[place + i].load(std::memory_order_relaxed) != WordOfId(id, i)) return false;
  }
  return true;
}

std::string IdOf(const SlotFields& fields, absl::Span<const ReadIndexWord> arena) {
  std::string id(fields.id_size(), '\0');
  for (size_t i = 0; i < WordsOfId(id.size()); ++i) {
    const uint64_t word = fields.id_is_long()
                              ? arena[fields.id[kLongIdPlace] + i].load(std::memory_order_relaxed)
                              : fields.id[i];
    std::memcpy(&id[i * 8], &word, std::min<size_t>(8, id.size() - i * 8));
  }
  return id;
}

}  // namespace packice
