// Which piece to ask for next: of those that a source has and nobody was asked for, one that the
// fewest sources have, at random among equals, because a swarm whose members all take the same way
// through the object has nothing to give each other.
//
// Of one download; thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/optional.h"
#include "piece_set.h"
#include "random_stream.h"

namespace packice {

class PiecePicker {
 public:
  // Of all pieces.
  static constexpr const PieceSet* kEverything = nullptr;

  // `random` outlives the picker.
  PiecePicker(uint32_t pieces, RandomStream& random);

  // What the sources have that have not all of it: those that have say nothing about rarity.
  void Seen(uint32_t piece) { ++seen_[piece]; }
  void Unseen(uint32_t piece) { --seen_[piece]; }
  uint32_t seen(uint32_t piece) const { return seen_[piece]; }

  // Bookkeeping of who was asked.
  void Asked(uint32_t piece);
  void Unasked(uint32_t piece);
  uint32_t askings(uint32_t piece) const { return askings_[piece]; }

  // Whether somebody is just sending it.
  void Arriving(uint32_t piece, bool arriving);

  void Got(uint32_t piece);
  bool Missing(uint32_t piece) const { return missing_.Has(piece); }
  uint32_t missing() const { return missing_.count(); }
  uint32_t fresh() const { return fresh_.count(); }  // missing, and nobody was asked

  // The rarest fresh piece of those in `has`. With `unseen_only`: one that no source has which has
  // not all.
  absl::optional<uint32_t> PickFresh(const PieceSet* has, bool unseen_only);

  // For the end, when all that is missing was asked for: the piece of those in `has` that the
  // fewest were asked for, fewer than `max_askings`, and that `skip` is false of.
  template <typename Skip>
  absl::optional<uint32_t> PickAgain(const PieceSet* has, uint32_t max_askings, const Skip& skip);

 private:
  // So many candidates are looked at: enough to choose well, whatever the size of the object.
  static constexpr uint32_t kLook = 4096;

  RandomStream& random_;
  PieceSet missing_;
  PieceSet fresh_;
  std::vector<uint16_t> seen_;
  std::vector<uint8_t> askings_;
  std::vector<uint8_t> arriving_;
};

template <typename Skip>
absl::optional<uint32_t> PiecePicker::PickAgain(const PieceSet* has, uint32_t max_askings,
                                                const Skip& skip) {
  absl::optional<uint32_t> best;
  uint32_t equals = 0;
  for (size_t w = 0; w < missing_.words(); ++w) {
    uint64_t bits = missing_.word(w) & (has == kEverything ? ~uint64_t{0} : has->word(w));
    for (; bits != 0; bits &= bits - 1) {
      const auto piece =
          static_cast<uint32_t>(64 * w) + static_cast<uint32_t>(__builtin_ctzll(bits));
      if (askings_[piece] >= max_askings || arriving_[piece] != 0 || skip(piece)) continue;
      if (best && askings_[piece] > askings_[*best]) continue;
      if (!best || askings_[piece] < askings_[*best]) equals = 0;
      if (random_.Below(++equals) == 0) best = piece;
    }
  }
  return best;
}

}  // namespace packice
