#include "free_pages.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace packice {
namespace {

constexpr uint32_t kWord = 64;

// Bit i is set where `word` has `count` ones from bit i on; count <= 64.
uint64_t StartsOfRuns(uint64_t word, uint32_t count) {
  for (uint32_t done = 1; done < count;) {
    const uint32_t more = std::min(done, count - done);
    word &= word >> more;
    done += more;
  }
  return word;
}

uint64_t Ones(uint32_t first, uint32_t count) {
  return (count == kWord ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << first;
}

}  // namespace

FreePages::FreePages(uint32_t pages)
    : words_(std::bit_ceil((size_t{pages} + kWord - 1) / kWord)), nodes_(2 * words_.size()) {
  if (pages > 0) Flip(0, pages, /*from=*/false);
}

FreePages::Runs FreePages::OfWord(uint64_t word) {
  Runs runs;
  runs.prefix = static_cast<uint32_t>(std::countr_one(word));
  runs.suffix = static_cast<uint32_t>(std::countl_one(word));
  if (word == ~uint64_t{0}) {
    runs.longest = kWord;
  } else {
    for (; word != 0; word &= word >> 1) ++runs.longest;
  }
  return runs;
}

FreePages::Runs FreePages::Join(const Runs& left, const Runs& right, uint32_t width) {
  Runs runs;
  runs.prefix = left.prefix == width ? width + right.prefix : left.prefix;
  runs.suffix = right.suffix == width ? width + left.suffix : right.suffix;
  runs.longest = std::max({left.longest, right.longest, left.suffix + right.prefix});
  return runs;
}

uint32_t FreePages::TakeLowest(uint32_t count) {
  const uint32_t first = FindLowest(count);
  Flip(first, count, /*from=*/true);
  return first;
}

void FreePages::GiveBack(uint32_t first, uint32_t count) { Flip(first, count, /*from=*/false); }

uint32_t FreePages::FindLowest(uint32_t count) const {
  if (longest() < count) std::abort();
  size_t i = 1;
  uint32_t begin = 0;
  uint32_t width = static_cast<uint32_t>(words_.size()) * kWord;
  while (i < words_.size()) {
    width /= 2;
    i *= 2;
    if (nodes_[i].longest >= count) continue;
    if (nodes_[i].suffix + nodes_[i + 1].prefix >= count) return begin + width - nodes_[i].suffix;
    ++i;
    begin += width;
  }
  const uint64_t starts = StartsOfRuns(words_[i - words_.size()], count);
  return begin + static_cast<uint32_t>(std::countr_zero(starts));
}

void FreePages::Flip(uint32_t first, uint32_t count, bool from) {
  const uint32_t end = first + count;
  for (uint32_t page = first; page < end;) {
    const uint32_t part = std::min(end - page, kWord - page % kWord);
    const uint64_t bits = Ones(page % kWord, part);
    uint64_t& word = words_[page / kWord];
    if ((word & bits) != (from ? bits : 0)) std::abort();
    word ^= bits;
    page += part;
  }
  Update(first / kWord, (end - 1) / kWord);
}

void FreePages::Update(size_t first_word, size_t last_word) {
  for (size_t i = first_word; i <= last_word; ++i) nodes_[words_.size() + i] = OfWord(words_[i]);
  size_t first = words_.size() + first_word;
  size_t last = words_.size() + last_word;
  for (uint32_t width = kWord; first > 1; width *= 2) {
    first /= 2;
    last /= 2;
    for (size_t i = first; i <= last; ++i) {
      nodes_[i] = Join(nodes_[2 * i], nodes_[2 * i + 1], width);
    }
  }
}

}  // namespace packice
