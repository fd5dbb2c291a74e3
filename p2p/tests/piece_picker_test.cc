#include "piece_picker.h"

#include <gtest/gtest.h>

#include <set>

namespace packice {
namespace {

constexpr auto kNothingSkipped = [](uint32_t) { return false; };

PieceSet SetOf(uint32_t pieces, std::initializer_list<uint32_t> held) {
  PieceSet set(pieces);
  for (uint32_t piece : held) set.Insert(piece);
  return set;
}

class PiecePickerTest : public ::testing::Test {
 protected:
  RandomStream random_{7};
  PiecePicker picker_{100, random_};
};

TEST_F(PiecePickerTest, TakesWhatTheFewestSourcesHave) {
  const PieceSet has = SetOf(100, {3, 50, 99});
  for (uint32_t piece : {3u, 3u, 50u, 99u, 99u}) picker_.Seen(piece);
  EXPECT_EQ(picker_.PickFresh(&has, false), 50u);
  picker_.Seen(50);
  picker_.Seen(50);
  picker_.Unseen(99);
  EXPECT_EQ(picker_.PickFresh(&has, false), 99u);
}

TEST_F(PiecePickerTest, BreaksTiesAtRandom) {
  std::set<uint32_t> picked;
  for (int i = 0; i < 2000; ++i) {
    picked.insert(*picker_.PickFresh(PiecePicker::kEverything, false));
  }
  EXPECT_EQ(picked.size(), 100u);
}

TEST_F(PiecePickerTest, TakesOnlyWhatTheSourceHasAndNobodyWasAskedFor) {
  const PieceSet has = SetOf(100, {3, 64});
  picker_.Asked(3);
  EXPECT_EQ(picker_.PickFresh(&has, false), 64u);
  picker_.Got(64);
  EXPECT_EQ(picker_.PickFresh(&has, false), absl::nullopt);
  picker_.Unasked(3);
  EXPECT_EQ(picker_.PickFresh(&has, false), 3u);
}

TEST_F(PiecePickerTest, OfACompleteSourceCanBeHeldToWhatNobodyElseHas) {
  for (uint32_t piece = 0; piece < 99; ++piece) picker_.Seen(piece);
  EXPECT_EQ(picker_.PickFresh(PiecePicker::kEverything, true), 99u);
  picker_.Seen(99);
  EXPECT_EQ(picker_.PickFresh(PiecePicker::kEverything, true), absl::nullopt);
  EXPECT_NE(picker_.PickFresh(PiecePicker::kEverything, false), absl::nullopt);
}

TEST_F(PiecePickerTest, AsksAgainForWhatTheFewestWereAskedFor) {
  const PieceSet has = SetOf(100, {1, 2});
  picker_.Asked(1);
  picker_.Asked(1);
  picker_.Asked(2);
  EXPECT_EQ(picker_.PickAgain(&has, 2, kNothingSkipped), 2u);
  EXPECT_EQ(picker_.PickAgain(&has, 2, [](uint32_t piece) { return piece == 2; }), absl::nullopt);
}

TEST_F(PiecePickerTest, CountsWhatIsMissing) {
  EXPECT_EQ(picker_.missing(), 100u);
  picker_.Asked(5);
  EXPECT_EQ(picker_.fresh(), 99u);
  picker_.Got(5);
  picker_.Unasked(5);
  EXPECT_EQ(picker_.missing(), 99u);
  EXPECT_EQ(picker_.fresh(), 99u) << "what is here is not asked for again";
}

TEST(PiecePicker, LooksAtABoundedPartOfAHugeObject) {
  RandomStream random(1);
  PiecePicker picker(1 << 18, random);
  EXPECT_NE(picker.PickFresh(PiecePicker::kEverything, false), absl::nullopt);
}

TEST(PiecePicker, KnowsThatAnEmptyObjectMissesNothing) {
  RandomStream random(1);
  PiecePicker picker(0, random);
  EXPECT_EQ(picker.missing(), 0u);
  EXPECT_EQ(picker.PickFresh(PiecePicker::kEverything, false), absl::nullopt);
}

}  // namespace
}  // namespace packice
