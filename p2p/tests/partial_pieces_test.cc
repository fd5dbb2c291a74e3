// What is verified never changes again, in whatever order pieces arrive and whoever sends them.
#include "partial_pieces.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "manifest_maker.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/plain_peer.h"
#include "packice/core/testing/status_matchers.h"
#include "sealed_pieces.h"

namespace packice {
namespace {

const std::atomic<bool> kNever{false};

constexpr uint64_t kPiece = Manifest::kMinPieceBytes;

class PartialPiecesTest : public testing::Test {
 protected:
  // An object of three and a half pieces in two blobs, the second of which starts within a piece.
  void SetUp() override {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i * 7 + i / 251);
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = *ObjectId::Parse("original");
    create.blob_sizes = {kFirst, bytes_.size() - kFirst};
    create.session = session_;
    absl::StatusOr<Grant> grant = blocking::Acquire(peer_, std::move(create));
    ASSERT_THAT(grant, IsOk());
    ASSERT_THAT(grant->object->blobs()[0]->Write(0, bytes_.substr(0, kFirst)), IsOk());
    ASSERT_THAT(grant->object->blobs()[1]->Write(0, bytes_.substr(kFirst)), IsOk());
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = session_;
    ASSERT_THAT(blocking::Seal(peer_, std::move(seal)), IsOk());
    absl::StatusOr<Manifest> manifest =
        MakeManifest(*grant->object, absl::nullopt, HashKind::kXxh3, kNever);
    ASSERT_THAT(manifest, IsOk());
    manifest_ = std::make_shared<const Manifest>(*std::move(manifest));
    original_ = *SealedPieces::Make(SwarmLease(peer_, *std::move(grant)), manifest_);
  }

  std::shared_ptr<PartialPieces> Partial() {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = *ObjectId::Parse("copy");
    create.blob_sizes.assign(manifest_->blob_sizes.begin(), manifest_->blob_sizes.end());
    create.session = session_;
    absl::StatusOr<Grant> grant = blocking::Acquire(peer_, std::move(create));
    EXPECT_THAT(grant, IsOk());
    return *PartialPieces::Make(SwarmLease(peer_, *std::move(grant)), manifest_);
  }

  std::string Right(uint32_t piece) const {
    return bytes_.substr(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
  }
  static std::string BytesOf(PieceStore& store, uint32_t piece) {
    absl::StatusOr<PieceStore::Bytes> spans = store.Read(piece);
    EXPECT_THAT(spans, IsOk());
    std::string bytes;
    for (const auto& span : *spans) bytes.append(span.data(), span.size());
    return bytes;
  }
  static void Put(PieceStore::Arrival& arrival, absl::string_view bytes) {
    while (!bytes.empty()) {
      const absl::Span<char> space = arrival.Space(std::min<size_t>(bytes.size(), 10'000));
      ASSERT_FALSE(space.empty());
      std::copy_n(bytes.begin(), space.size(), space.begin());
      arrival.Filled(space.size());
      bytes.remove_prefix(space.size());
    }
  }

  static constexpr uint64_t kFirst = kPiece + 1000;
  const SessionId session_ = NewSessionId();
  FakeClock clock_;
  FakeRandom random_;
  HeapBlobStore store_;
  PlainPeer peer_{store_, clock_, random_};
  std::string bytes_ = std::string(3 * kPiece + kPiece / 2, '\0');
  std::shared_ptr<const Manifest> manifest_;
  std::shared_ptr<PieceStore> original_;
};

TEST_F(PartialPiecesTest, ASealedObjectGivesItsPieces) {
  ASSERT_EQ(manifest_->pieces(), 4u);
  for (uint32_t piece = 0; piece < 4; ++piece) EXPECT_EQ(BytesOf(*original_, piece), Right(piece));
}

TEST_F(PartialPiecesTest, FillsInAnyOrder) {
  const auto partial = Partial();
  for (uint32_t piece : {2u, 0u, 3u, 1u}) {
    EXPECT_FALSE(partial->Held(piece));
    const auto arrival = partial->Receive(piece);
    Put(*arrival, Right(piece));
    EXPECT_TRUE(arrival->Verify());
    EXPECT_TRUE(partial->Held(piece));
    EXPECT_EQ(BytesOf(*partial, piece), Right(piece));
  }
  EXPECT_EQ(partial->pieces_held(), 4u);
}

TEST_F(PartialPiecesTest, WrongBytesAreNotHeld) {
  const auto partial = Partial();
  std::string wrong = Right(1);
  wrong[777] ^= 1;
  {
    const auto arrival = partial->Receive(1);
    Put(*arrival, wrong);
    EXPECT_FALSE(arrival->Verify());
  }
  EXPECT_FALSE(partial->Held(1));
  EXPECT_EQ(partial->pieces_held(), 0u);
  const auto again = partial->Receive(1);
  Put(*again, Right(1));
  EXPECT_TRUE(again->Verify());
  EXPECT_EQ(BytesOf(*partial, 1), Right(1));
}

TEST_F(PartialPiecesTest, AWholePieceIsNotTakenAgain) {
  const auto partial = Partial();
  const auto arrival = partial->Receive(0);
  Put(*arrival, Right(0));
  ASSERT_TRUE(arrival->Verify());
  EXPECT_EQ(partial->Receive(0), nullptr);
  EXPECT_EQ(partial->Receive(4), nullptr) << "there is no such piece";
}

TEST_F(PartialPiecesTest, ALiarThatCameFirstDoesNotSpoilThePieceOfAnHonestSender) {
  const auto partial = Partial();
  const auto liar = partial->Receive(1);
  const std::string lies(kPiece, 'x');
  Put(*liar, lies.substr(0, kPiece / 2));
  {
    const auto honest = partial->Receive(1);
    Put(*honest, Right(1));
    EXPECT_TRUE(honest->Verify());
  }
  EXPECT_EQ(BytesOf(*partial, 1), Right(1));
  Put(*liar, lies.substr(kPiece / 2));
  EXPECT_EQ(BytesOf(*partial, 1), Right(1)) << "a byte of a held piece changed";
  EXPECT_FALSE(liar->Verify());
  EXPECT_EQ(BytesOf(*partial, 1), Right(1));
}

TEST_F(PartialPiecesTest, WhoComesSecondIsTakenAsWell) {
  const auto partial = Partial();
  const auto first = partial->Receive(3);
  const auto second = partial->Receive(3);
  Put(*second, Right(3));
  Put(*first, Right(3));
  EXPECT_TRUE(first->Verify());
  EXPECT_TRUE(second->Verify()) << "its bytes were right, too";
  EXPECT_EQ(partial->pieces_held(), 1u);
  EXPECT_EQ(BytesOf(*partial, 3), Right(3));
}

TEST_F(PartialPiecesTest, AnArrivalThatOutlivesTheDownloadHarmsNothing) {
  const auto partial = Partial();
  for (uint32_t piece = 0; piece < 4; ++piece) {
    const auto arrival = partial->Receive(piece);
    if (piece == 2) {
      const auto late = partial->Receive(piece);
      Put(*late, std::string(100, 'x'));
      Put(*arrival, Right(piece));
      ASSERT_TRUE(arrival->Verify());
      partial->CloseForWriting();
      Put(*late, std::string(kPiece - 100, 'x'));
      EXPECT_FALSE(late->Verify());
      EXPECT_EQ(BytesOf(*partial, 2), Right(2));
      EXPECT_EQ(partial->Receive(3), nullptr) << "nothing is written any more";
      return;
    }
    Put(*arrival, Right(piece));
    ASSERT_TRUE(arrival->Verify());
  }
}

TEST_F(PartialPiecesTest, ManifestsOfEqualObjectsAreEqual) {
  const auto partial = Partial();
  for (uint32_t piece = 0; piece < 4; ++piece) {
    const auto arrival = partial->Receive(piece);
    Put(*arrival, Right(piece));
    ASSERT_TRUE(arrival->Verify());
  }
  partial->CloseForWriting();
  SealRequest seal;
  seal.lease_id = partial->lease().lease().id;
  seal.session = session_;
  ASSERT_THAT(blocking::Seal(peer_, std::move(seal)), IsOk());
  absl::StatusOr<Manifest> manifest =
      MakeManifest(partial->lease().object(), absl::nullopt, HashKind::kXxh3, kNever);
  ASSERT_THAT(manifest, IsOk());
  EXPECT_EQ(manifest->Digest(), manifest_->Digest());
}

}  // namespace
}  // namespace packice
