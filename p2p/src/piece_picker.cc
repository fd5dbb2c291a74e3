#include "piece_picker.h"

namespace packice {

PiecePicker::PiecePicker(uint32_t pieces, RandomStream& random)
    : random_(random),
      missing_(PieceSet::All(pieces)),
      fresh_(missing_),
      seen_(pieces),
      askings_(pieces),
      arriving_(pieces) {}

void PiecePicker::Asked(uint32_t piece) {
  ++askings_[piece];
  fresh_.Erase(piece);
}

void PiecePicker::Unasked(uint32_t piece) {
  if (--askings_[piece] == 0 && Missing(piece)) fresh_.Insert(piece);
}

void PiecePicker::Arriving(uint32_t piece, bool arriving) {
  arriving ? ++arriving_[piece] : --arriving_[piece];
}

void PiecePicker::Got(uint32_t piece) {
  missing_.Erase(piece);
  fresh_.Erase(piece);
}

absl::optional<uint32_t> PiecePicker::PickFresh(const PieceSet* has, bool unseen_only) {
  if (fresh_.count() == 0) return absl::nullopt;
  absl::optional<uint32_t> best;
  uint32_t rarity = unseen_only ? 1 : ~uint32_t{0};  // better than this
  uint32_t equals = 0;
  uint32_t looked = 0;
  const size_t words = fresh_.words();
  const size_t start = random_.Below(words);
  for (size_t i = 0; i < words && looked < kLook; ++i) {
    const size_t w = start + i < words ? start + i : start + i - words;
    uint64_t bits = fresh_.word(w) & (has == kEverything ? ~uint64_t{0} : has->word(w));
    for (; bits != 0; bits &= bits - 1, ++looked) {
      const auto piece =
          static_cast<uint32_t>(64 * w) + static_cast<uint32_t>(__builtin_ctzll(bits));
      const uint32_t seen = seen_[piece];
      if (best ? seen > rarity : seen >= rarity) continue;
      if (!best || seen < rarity) equals = 0;
      rarity = seen;
      if (random_.Below(++equals) == 0) best = piece;
    }
  }
  return best;
}

}  // namespace packice
