// How the engine serves others.
#include "engine_fixture.h"

namespace packice {
namespace {

class ServeTest : public EngineTest {
 protected:
  // A reader that reads a whole object.
  LinkId ServeWhole() {
    const LinkId link = Accept();
    engine_->OnFrame(link, OpenFor(1));
    AnswerBorrow(WholeStore());
    return link;
  }
};

TEST_F(ServeTest, BorrowsTheObjectForAsLongAsTheChannelIsOpen) {
  const LinkId link = ServeWhole();
  const OpenedFrame opened = network_.Of<OpenedFrame>(link).at(0);
  EXPECT_EQ(opened.manifest, manifest_->Encode());
  EXPECT_TRUE(opened.held.empty()) << "all";
  EXPECT_EQ(live_stores_, 1);
  engine_->OnFrame(link, CloseFrame{1});
  EXPECT_EQ(live_stores_, 0);
}

TEST_F(ServeTest, ALinkThatGoesDownEndsItsChannels) {
  const LinkId link = ServeWhole();
  engine_->OnLinkDown(link, MakeError(ErrorKind::kUnavailable, "reset"));
  EXPECT_EQ(live_stores_, 0);
  EXPECT_TRUE(engine_->Transfers({}).empty());
}

TEST_F(ServeTest, AChannelWithNothingAskedIsClosedAfterAWhile) {
  const LinkId link = ServeWhole();
  Pass(absl::Seconds(61));
  EXPECT_EQ(network_.Of<CloseFrame>(link).size(), 1u);
  EXPECT_EQ(live_stores_, 0);
}

TEST_F(ServeTest, RefusesWhatIsNotHereAndWhatIsOtherContent) {
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  AnswerBorrow(MakeError(ErrorKind::kNotFound, "no"));
  EXPECT_EQ(network_.Of<RefusedFrame>(link).at(0).reason, RefusalReason::kNotHeld);
  OpenFrame other = OpenFor(2);
  other.digest = MakeManifest(3)->Digest();
  engine_->OnFrame(link, other);
  AnswerBorrow(WholeStore());
  EXPECT_EQ(network_.Of<RefusedFrame>(link).at(1).reason, RefusalReason::kOtherContent);
  engine_->OnFrame(link, OpenFor(3));
  AnswerBorrow(MakeError(ErrorKind::kIo, "bad disk"));
  EXPECT_EQ(network_.Of<RefusedFrame>(link).at(2).reason, RefusalReason::kFailing);
  EXPECT_EQ(live_stores_, 0);
}

TEST_F(ServeTest, OneReaderTooManyIsToldOfTheOthers) {
  TransferOptions options;
  options.max_readers_per_object = 1;
  Start(options);
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1, "first"));
  AnswerBorrow(WholeStore());
  engine_->OnFrame(link, OpenFor(2, "second"));
  const RefusedFrame refused = network_.Of<RefusedFrame>(link).at(0);
  EXPECT_EQ(refused.reason, RefusalReason::kBusy);
  EXPECT_GT(refused.retry_after, absl::ZeroDuration());
  EXPECT_EQ(refused.alternatives, std::vector<std::string>{"first"});
}

TEST_F(ServeTest, SendsOnePieceAfterAnother) {
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{1, {0, 1, 2}});
  ASSERT_EQ(network_.pieces.size(), 1u);
  EXPECT_FALSE(engine_->Drained());
  clock_.Advance(absl::Milliseconds(8));
  for (int i = 0; i < 3; ++i) engine_->OnPieceSent(link, 1, network_.pieces.back().piece);
  EXPECT_EQ(network_.pieces.size(), 3u);
  EXPECT_EQ(engine_->counters().sent_bytes, 3u << 20);
  EXPECT_TRUE(engine_->Drained());
  EXPECT_GT(engine_->load(), 0);
}

TEST_F(ServeTest, AReaderThatIsSlowDoesNotHoldUpTheOthers) {
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{1, {0, 1, 2, 3}});
  clock_.Advance(absl::Milliseconds(8));
  engine_->OnPieceSent(link, 1, network_.pieces.back().piece);
  ASSERT_EQ(network_.pieces.size(), 2u);
  Pass(absl::Milliseconds(8));
  EXPECT_EQ(network_.pieces.size(), 2u);
  Pass(absl::Milliseconds(2));
  EXPECT_EQ(network_.pieces.size(), 3u) << "the time it should take is over";
}

TEST_F(ServeTest, WhatIsCancelledIsNotSent) {
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{1, {0, 1}});
  const uint32_t other = 1 - network_.pieces.at(0).piece;
  engine_->OnFrame(link, CancelFrame{1, {other}});
  engine_->OnPieceSent(link, 1, network_.pieces.at(0).piece);
  EXPECT_EQ(network_.pieces.size(), 1u);
}

TEST_F(ServeTest, KeepsToTheUpLimit) {
  TransferOptions options;
  options.up_limit = 1 << 20;
  Start(options);
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{1, {0, 1}});
  engine_->OnPieceSent(link, 1, network_.pieces.at(0).piece);
  EXPECT_EQ(network_.pieces.size(), 1u);
  Pass(absl::Milliseconds(1100));
  EXPECT_EQ(network_.pieces.size(), 2u);
}

TEST_F(ServeTest, ASmallObjectFollowsTheAnswerUnasked) {
  manifest_ = MakeManifest(1, 64 << 10);
  const LinkId link = Accept();
  OpenFrame open = OpenFor(1);
  open.eager_bytes = 64 << 10;
  engine_->OnFrame(link, open);
  AnswerBorrow(WholeStore());
  EXPECT_EQ(network_.pieces.size(), 1u);
}

TEST_F(ServeTest, ADownloadServesWhatItHasVerifiedAndTellsOfMore) {
  Download({"a"});
  const LinkId a = LinkTo("a");
  const uint32_t first = Asked(a).at(0);
  Arrive(a, first);
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  EXPECT_TRUE(objects_.borrows.empty());
  const OpenedFrame opened = network_.Of<OpenedFrame>(link).at(0);
  ASSERT_EQ(opened.held.size(), kPieces);
  EXPECT_TRUE(opened.held[first]);
  EXPECT_EQ(std::count(opened.held.begin(), opened.held.end(), true), 1);
  const uint32_t second = Asked(a).back();
  Arrive(a, second);
  EXPECT_EQ(network_.Of<HaveFrame>(link).at(0).pieces, std::vector<uint32_t>{second});
}

TEST_F(ServeTest, WhoOpensBeforeTheDownloadHasAStoreWaitsForIt) {
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  EXPECT_TRUE(network_.Of<OpenedFrame>(link).empty());
  AnswerOpen(LinkTo("a"));
  AnswerCreate(StoreWith({}));
  EXPECT_EQ(network_.Of<OpenedFrame>(link).size(), 1u);
}

TEST_F(ServeTest, AReaderOfWhatIsFetchedHereIsReadFromInTurn) {
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  engine_->OnFrame(Accept(), OpenFor(1, "fellow"));
  EXPECT_EQ(network_.dialled.back(), "a") << "hearsay waits for the directory's word";
  Pass(absl::Milliseconds(70));
  AnswerLocate(HeldBy({"a"}));
  EXPECT_EQ(network_.dialled.back(), "fellow");
}

TEST_F(ServeTest, AFailedDownloadClosesItsReaders) {
  Download({"a"});
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  engine_->Cancel(OperationId{7});
  EXPECT_EQ(network_.Of<CloseFrame>(link).size(), 1u);
}

TEST_F(ServeTest, WhoBreaksTheProtocolIsHungUpOn) {
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{77, {0}});
  engine_->OnFrame(link, CancelFrame{1, {4'000'000'000u}});
  EXPECT_FALSE(network_.HungUp(link)) << "what may come late is no offence";
  engine_->OnFrame(link, RequestFrame{1, {kPieces}});
  EXPECT_TRUE(network_.HungUp(link)) << "a piece beyond the last";
  const LinkId second = Accept(101);
  engine_->OnFrame(second, OpenFor(0));
  EXPECT_TRUE(network_.HungUp(second)) << "no channel";
  const LinkId third = Accept(102);
  engine_->OnFrame(third, OpenedFrame());
  EXPECT_TRUE(network_.HungUp(third)) << "a holder's frame from a reader";
  const LinkId fourth = Accept(103);
  engine_->OnFrame(fourth, OpenFor(1));
  engine_->OnFrame(fourth, OpenFor(1));
  EXPECT_TRUE(network_.HungUp(fourth)) << "the same channel twice";
}

TEST_F(ServeTest, WhatADownloadHasNotVerifiedCannotBeAsked) {
  Download({"a"});
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  engine_->OnFrame(link, RequestFrame{1, {0}});
  EXPECT_TRUE(network_.HungUp(link));
  EXPECT_TRUE(network_.pieces.empty());
}

TEST_F(ServeTest, ADiscardGoesToTheLocalObjects) {
  const LinkId link = Accept();
  engine_->OnFrame(link, DiscardFrame{9, id_});
  ASSERT_EQ(objects_.discards.size(), 1u);
  std::move(objects_.discards.front())(MakeError(ErrorKind::kNotFound, "no"));
  const DiscardedFrame discarded = network_.Of<DiscardedFrame>(link).at(0);
  EXPECT_EQ(discarded.channel, 9u);
  EXPECT_FALSE(discarded.ok);
  EXPECT_EQ(discarded.kind, ErrorKind::kNotFound);
}

TEST_F(ServeTest, ANodeThatShutsDownRefusesThoseWhoWaitForAnAnswer) {
  const LinkId link = Accept();
  engine_->OnFrame(link, OpenFor(1));
  engine_->OnFrame(link, OpenFor(2));
  engine_->ShutDown();
  EXPECT_EQ(network_.Of<RefusedFrame>(link).size(), 2u);
  EXPECT_TRUE(engine_->Drained());
}

TEST_F(ServeTest, ANodeThatShutsDownFinishesWhatWasAskedAndServesNobodyNew) {
  const LinkId link = ServeWhole();
  engine_->OnFrame(link, RequestFrame{1, {0}});
  engine_->ShutDown();
  EXPECT_FALSE(engine_->Drained());
  engine_->OnFrame(link, OpenFor(2));
  EXPECT_EQ(network_.Of<RefusedFrame>(link).at(0).reason, RefusalReason::kShuttingDown);
  engine_->OnPieceSent(link, 1, 0);
  EXPECT_TRUE(engine_->Drained());
}

}  // namespace
}  // namespace packice
