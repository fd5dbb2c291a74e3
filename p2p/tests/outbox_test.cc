#include "outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "frame_codec.h"
#include "packice/core/error.h"
#include "packice/p2p/testing/memory_pieces.h"

namespace packice {
namespace {

using ::testing::ElementsAre;

// Takes so many bytes with each call and keeps them.
class SlowStream final : public LinkStream {
 public:
  explicit SlowStream(size_t each) : each_(each) {}

  Moved Read(absl::Span<const iovec>) override { return {}; }
  Moved Write(absl::Span<const iovec> bytes, bool) override {
    Moved moved;
    for (const iovec& part : bytes) {
      const size_t n = std::min(part.iov_len, each_ - moved.bytes);
      taken.append(static_cast<const char*>(part.iov_base), n);
      moved.bytes += n;
    }
    return moved;
  }
  Moved SendFile(int, off_t, size_t) override { return {}; }
  void FinishWriting() override {}

  std::string taken;

 private:
  const size_t each_;
};

// A holder whose medium fails.
class FailingPieces final : public PieceStore {
 public:
  const ObjectId& object_id() const override { return id_; }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t) const override { return true; }
  uint32_t pieces_held() const override { return 1; }
  absl::StatusOr<Bytes> Read(uint32_t) override { return MakeError(ErrorKind::kIo, "broken"); }
  std::unique_ptr<Arrival> Receive(uint32_t) override { return nullptr; }

 private:
  const ObjectId id_ = *ObjectId::Parse("x");
  const std::shared_ptr<const Manifest> manifest_;
};

class OutboxTest : public ::testing::Test {
 protected:
  static std::string Encoded(const Frame& frame) {
    std::string bytes;
    EncodeFrame(frame, bytes);
    return bytes;
  }
  std::string Piece(uint32_t channel, uint32_t piece) const {
    const std::string bytes =
        content_.substr(piece * Manifest::kMinPieceBytes, Manifest::kMinPieceBytes);
    return Encoded(PieceFrame{channel, piece, static_cast<uint32_t>(bytes.size())}) + bytes;
  }
  void SendAll(Outbox& outbox, SlowStream& stream) {
    while (!outbox.empty()) outbox.Send(stream, 1 << 20, sent_);
  }
  std::vector<uint32_t> Sent() const {
    std::vector<uint32_t> pieces;
    for (const Outbox::Sent& sent : sent_) pieces.push_back(sent.piece);
    return pieces;
  }

  const std::string content_ =
      std::string(Manifest::kMinPieceBytes, 'a') + std::string(Manifest::kMinPieceBytes, 'b') + "c";
  const std::shared_ptr<PieceStore> store_ = std::make_shared<WholeMemoryPieces>(
      *ObjectId::Parse("x"), ManifestOf(content_, Manifest::kMinPieceBytes), content_);
  std::vector<Outbox::Sent> sent_;
};

TEST_F(OutboxTest, FramesGoBeforePiecesAndInOrder) {
  for (size_t each : {1, 5, 9, 1000, 1 << 20}) {
    Outbox outbox(SendPath::kWrite);
    SlowStream stream(each);
    outbox.AddPiece(1, 0, store_);
    outbox.AddPiece(1, 2, store_);
    outbox.Add(HaveFrame{1, {7}});
    outbox.Add(RequestFrame{2, {8}});
    sent_.clear();
    SendAll(outbox, stream);
    EXPECT_TRUE(stream.taken == Encoded(HaveFrame{1, {7}}) + Encoded(RequestFrame{2, {8}}) +
                                    Piece(1, 0) + Piece(1, 2))
        << each << " bytes at a time";
    EXPECT_THAT(Sent(), ElementsAre(0, 2));
    EXPECT_EQ(outbox.frame_bytes(), 0u);
  }
}

TEST_F(OutboxTest, NothingComesBetweenTheBytesOfAPiece) {
  Outbox outbox(SendPath::kWrite);
  SlowStream stream(100);
  outbox.AddPiece(1, 0, store_);
  outbox.AddPiece(1, 1, store_);
  outbox.Send(stream, 1 << 20, sent_);
  outbox.Add(HaveFrame{1, {7}});
  SendAll(outbox, stream);
  EXPECT_TRUE(stream.taken == Piece(1, 0) + Encoded(HaveFrame{1, {7}}) + Piece(1, 1));
}

// TLS wants to be given the same bytes again.
TEST_F(OutboxTest, WhatWasOfferedIsOfferedAgain) {
  Outbox outbox(SendPath::kWrite);
  SlowStream none(0);
  outbox.AddPiece(1, 0, store_);
  outbox.Send(none, 1 << 20, sent_);
  outbox.Add(HaveFrame{1, {7}});
  SlowStream stream(1 << 20);
  SendAll(outbox, stream);
  EXPECT_TRUE(stream.taken == Piece(1, 0) + Encoded(HaveFrame{1, {7}}));
}

TEST_F(OutboxTest, AChannelEndsBehindItsPieces) {
  for (const Frame& end :
       {Frame(CloseFrame{1}),
        Frame(RefusedFrame{1, RefusalReason::kShuttingDown, absl::ZeroDuration(), {}})}) {
    Outbox outbox(SendPath::kWrite);
    SlowStream stream(1000);
    outbox.AddPiece(1, 2, store_);
    outbox.Add(end);
    outbox.Add(HaveFrame{2, {7}});
    SendAll(outbox, stream);
    EXPECT_TRUE(stream.taken == Encoded(HaveFrame{2, {7}}) + Piece(1, 2) + Encoded(end));
    EXPECT_EQ(outbox.frame_bytes(), 0u);
  }
}

TEST_F(OutboxTest, APieceThatCannotBeReadIsRefused) {
  Outbox outbox(SendPath::kWrite);
  SlowStream stream(1000);
  outbox.AddPiece(1, 0, std::make_shared<FailingPieces>());
  SendAll(outbox, stream);
  EXPECT_TRUE(stream.taken ==
              Encoded(RefusedFrame{1, RefusalReason::kFailing, absl::ZeroDuration(), {}}));
  EXPECT_THAT(Sent(), ElementsAre(0)) << "it is out of the way";
}

}  // namespace
}  // namespace packice
