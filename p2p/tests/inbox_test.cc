// Where arriving pieces go: into the store of their channel, or they are kept until it is there.
#include "inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "packice/core/object_id.h"
#include "packice/p2p/testing/memory_pieces.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using PieceResult = TransferEvents::PieceResult;

constexpr uint32_t kChannel = 7;

class InboxTest : public testing::Test {
 protected:
  std::shared_ptr<PartialMemoryPieces> Store() {
    return std::make_shared<PartialMemoryPieces>(*ObjectId::Parse("object"), manifest_,
                                                 absl::MakeSpan(&memory_[0], memory_.size()));
  }
  void Begin(const std::string& bytes) {
    inbox_.Begin({kChannel, 0, static_cast<uint32_t>(bytes.size())});
  }
  void Put(absl::string_view bytes) {
    while (!bytes.empty()) {
      const absl::Span<char> space = inbox_.Space(bytes.size());
      std::copy_n(bytes.begin(), space.size(), space.begin());
      inbox_.Filled(space.size());
      bytes.remove_prefix(space.size());
    }
  }

  const std::string bytes_ = std::string(5000, 'x') + "tail";
  const std::shared_ptr<const Manifest> manifest_ = ManifestOf(bytes_, Manifest::kMinPieceBytes);
  std::string memory_ = std::string(bytes_.size(), '\0');
  std::string nowhere_ = std::string(1 << 20, '\0');
  Inbox inbox_{absl::MakeSpan(&nowhere_[0], nowhere_.size())};
};

TEST_F(InboxTest, APieceGoesIntoTheStoreOfItsChannel) {
  const auto store = Store();
  EXPECT_THAT(inbox_.Fill(kChannel, store), IsEmpty());
  Begin(bytes_);
  Put(bytes_);
  EXPECT_EQ(inbox_.Finish(), PieceResult::kVerified);
  EXPECT_TRUE(store->Held(0));
}

TEST_F(InboxTest, WhatNobodyAskedForIsThrownAway) {
  Begin(bytes_);
  Put(bytes_);
  EXPECT_EQ(inbox_.Finish(), PieceResult::kUnwanted);
  EXPECT_THAT(inbox_.Fill(kChannel, Store()), IsEmpty());
}

TEST_F(InboxTest, APieceThatComesBeforeItsStoreIsKeptForIt) {
  inbox_.Keep(kChannel, 64 << 10);
  Begin(bytes_);
  Put(bytes_);
  EXPECT_EQ(inbox_.Finish(), absl::nullopt) << "what became of it is told later";
  const auto store = Store();
  EXPECT_THAT(inbox_.Fill(kChannel, store), ElementsAre(Pair(0, PieceResult::kVerified)));
  EXPECT_TRUE(store->Held(0));
}

TEST_F(InboxTest, APieceOfWhichHalfCameBeforeItsStoreIsWhole) {
  inbox_.Keep(kChannel, 64 << 10);
  Begin(bytes_);
  Put(bytes_.substr(0, 2000));
  const auto store = Store();
  EXPECT_THAT(inbox_.Fill(kChannel, store), IsEmpty());
  Put(bytes_.substr(2000));
  EXPECT_EQ(inbox_.Finish(), PieceResult::kVerified);
  EXPECT_TRUE(store->Held(0));
}

TEST_F(InboxTest, WrongBytesThatWereKeptAreNotHeld) {
  inbox_.Keep(kChannel, 64 << 10);
  Begin(bytes_);
  Put(std::string(bytes_.size(), 'y'));
  EXPECT_EQ(inbox_.Finish(), absl::nullopt);
  const auto store = Store();
  EXPECT_THAT(inbox_.Fill(kChannel, store), ElementsAre(Pair(0, PieceResult::kCorrupt)));
  EXPECT_FALSE(store->Held(0));
}

TEST_F(InboxTest, AWrongLengthThatWasKeptIsCorrupt) {
  inbox_.Keep(kChannel, 64 << 10);
  Begin("short");
  Put("short");
  EXPECT_EQ(inbox_.Finish(), absl::nullopt);
  EXPECT_THAT(inbox_.Fill(kChannel, Store()), ElementsAre(Pair(0, PieceResult::kCorrupt)));
}

TEST_F(InboxTest, NoMoreIsKeptThanThereIsRoomFor) {
  inbox_.Keep(kChannel, 5000);
  Begin(bytes_);
  Put(bytes_);
  EXPECT_EQ(inbox_.Finish(), PieceResult::kUnwanted);
}

TEST_F(InboxTest, AChannelThatIsOverKeepsNothing) {
  inbox_.Keep(kChannel, 64 << 10);
  Begin(bytes_);
  Put(bytes_.substr(0, 100));
  inbox_.Forget(kChannel);
  Put(bytes_.substr(100));
  EXPECT_EQ(inbox_.Finish(), PieceResult::kUnwanted);
  EXPECT_THAT(inbox_.Fill(kChannel, Store()), IsEmpty());
}

}  // namespace
}  // namespace packice
