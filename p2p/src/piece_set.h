// A set of pieces of one object. A value; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace packice {

class PieceSet {
 public:
  PieceSet() = default;
  explicit PieceSet(uint32_t pieces) : pieces_(pieces), words_((pieces + 63) / 64) {}
  static PieceSet All(uint32_t pieces) {
    PieceSet set(pieces);
    for (uint32_t piece = 0; piece < pieces; ++piece) set.Insert(piece);
    return set;
  }

  uint32_t pieces() const { return pieces_; }  // that there could be
  uint32_t count() const { return count_; }    // that there are
  bool full() const { return count_ == pieces_; }

  // Requires, here and below: piece < pieces().
  bool Has(uint32_t piece) const { return (words_[piece / 64] >> (piece % 64) & 1) != 0; }
  // Whether it is new.
  bool Insert(uint32_t piece) {
    if (Has(piece)) return false;
    words_[piece / 64] |= Bit(piece);
    ++count_;
    return true;
  }
  // Whether it was there.
  bool Erase(uint32_t piece) {
    if (!Has(piece)) return false;
    words_[piece / 64] &= ~Bit(piece);
    --count_;
    return true;
  }

  size_t words() const { return words_.size(); }
  uint64_t word(size_t index) const { return words_[index]; }  // pieces 64 * index and on

 private:
  static uint64_t Bit(uint32_t piece) { return uint64_t{1} << (piece % 64); }

  uint32_t pieces_ = 0;
  uint32_t count_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace packice
