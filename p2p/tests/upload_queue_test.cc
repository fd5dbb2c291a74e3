#include "upload_queue.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace packice {
namespace {

class UploadQueueTest : public ::testing::Test {
 protected:
  UploadQueueTest() {
    queue_.AddObject(kObject, 8);
    queue_.AddReader(kObject, kAnn);
    queue_.AddReader(kObject, kBob);
  }

  std::vector<uint32_t> Pieces() {
    std::vector<uint32_t> pieces;
    while (const auto choice = queue_.Next()) pieces.push_back(choice->piece);
    return pieces;
  }

  static constexpr uint64_t kObject = 1;
  static constexpr uint64_t kAnn = 10;
  static constexpr uint64_t kBob = 11;
  RandomStream random_{1};
  UploadQueue queue_{random_};
};

TEST_F(UploadQueueTest, SendsEachPieceOnceBeforeAnyTwice) {
  for (uint32_t piece : {0u, 1u, 2u}) {
    queue_.Push(kAnn, piece);
    queue_.Push(kBob, piece);
  }
  const std::vector<uint32_t> pieces = Pieces();
  ASSERT_EQ(pieces.size(), 6u);
  EXPECT_EQ(std::set<uint32_t>(pieces.begin(), pieces.begin() + 3).size(), 3u);
}

TEST_F(UploadQueueTest, OfEqualPiecesServesTheReaderThatGotLeast) {
  for (uint32_t piece : {0u, 1u, 2u}) queue_.Push(kAnn, piece);
  queue_.Push(kBob, 3);
  EXPECT_EQ(queue_.Next()->reader, kAnn);
  EXPECT_EQ(queue_.Next()->reader, kBob);
  EXPECT_EQ(queue_.Next()->reader, kAnn);
}

TEST_F(UploadQueueTest, PassesOverReadersThatAreToBeSkipped) {
  for (uint32_t piece : {0u, 1u}) queue_.Push(kAnn, piece);
  queue_.Push(kBob, 3);
  const auto next = [&] { return queue_.Next([](uint64_t reader) { return reader == kAnn; }); };
  EXPECT_EQ(next()->reader, kBob);
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(queue_.size(), 2u);
}

TEST_F(UploadQueueTest, ObjectsTakeTurns) {
  queue_.AddObject(2, 1);
  queue_.AddReader(2, 20);
  for (uint32_t piece : {0u, 1u, 2u, 3u}) queue_.Push(kAnn, piece);
  queue_.Push(20, 0);
  const uint64_t first = queue_.Next()->reader;
  const uint64_t second = queue_.Next()->reader;
  EXPECT_NE(first, second);
}

TEST_F(UploadQueueTest, ForgetsWhatIsCancelledAndWhoIsGone) {
  queue_.Push(kAnn, 0);
  queue_.Push(kAnn, 1);
  queue_.Push(kBob, 2);
  queue_.Cancel(kAnn, 0);
  queue_.Cancel(kAnn, 7);
  queue_.RemoveReader(kBob);
  EXPECT_EQ(queue_.size(), 1u);
  EXPECT_EQ(Pieces(), std::vector<uint32_t>{1});
  queue_.Push(kAnn, 3);
  queue_.RemoveObject(kObject);
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_FALSE(queue_.Next().has_value());
}

TEST_F(UploadQueueTest, TakesAPieceOnceForEachReaderAndABoundedNumber) {
  queue_.AddObject(2, 5000);
  queue_.AddReader(2, 20);
  EXPECT_TRUE(queue_.Push(20, 0));
  EXPECT_TRUE(queue_.Push(20, 0));
  EXPECT_EQ(queue_.Waiting(20), 1u);
  for (uint32_t piece = 1; piece < UploadQueue::kMaxOfReader; ++piece) {
    ASSERT_TRUE(queue_.Push(20, piece));
  }
  EXPECT_FALSE(queue_.Push(20, 4999));
}

}  // namespace
}  // namespace packice
