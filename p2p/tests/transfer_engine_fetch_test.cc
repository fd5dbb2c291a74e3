// How the engine brings an object here.
#include "engine_fixture.h"

namespace packice {
namespace {

using Result = TransferEngine::PieceResult;

class FetchTest : public EngineTest {};

TEST_F(FetchTest, ManyAskAndOneDownloadAnswersThemAll) {
  Fetch(OperationId{1});
  Fetch(OperationId{2});
  EXPECT_EQ(directory_.requests.size(), 1u);
  AnswerLocate(HeldBy({"a"}));
  const LinkId a = LinkTo("a");
  AnswerOpen(a);
  AnswerCreate(StoreWith({}));
  ArriveAll(a);
  EXPECT_TRUE(results_.empty()) << "it is not sealed yet";
  ASSERT_EQ(objects_.seals.size(), 1u);
  std::move(objects_.seals.front())(absl::OkStatus());
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_THAT(results_[0], IsOk());
  EXPECT_THAT(results_[1], IsOk());
  EXPECT_EQ(events_.KindsOf(id_),
            (std::vector<EventKind>{EventKind::kDownloadStarted, EventKind::kDownloadFinished}));
  EXPECT_EQ(engine_->counters().received_bytes, manifest_->size());
  EXPECT_EQ(network_.Of<CloseFrame>(a).size(), 1u);
}

TEST_F(FetchTest, TheOpenCarriesTheDigestThatTheDirectoryTold) {
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  const LinkId a = LinkTo("a");
  EXPECT_TRUE(network_.sent.empty()) << "frames wait for the link";
  engine_->OnLinkUp(a);
  EXPECT_EQ(LastOpen(a).digest, manifest_->Digest());
  EXPECT_EQ(LastOpen(a).reader_address, "me");
}

TEST_F(FetchTest, WhatNobodyHoldsIsNotFoundAtOnce) {
  Fetch();
  AnswerLocate(Location());
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0], HasKind(ErrorKind::kNotFound));
}

TEST_F(FetchTest, WithTheGrantItReadsTheOriginAndGivesTheGrantBackWhenThatFails) {
  FakeOrigin origin;
  Start({}, &origin);
  Fetch();
  EXPECT_TRUE(directory_.requests.back().has_origin);
  Location granted;
  granted.origin_grant = absl::Seconds(10);
  AnswerLocate(granted);
  ASSERT_EQ(origin.copies.size(), 1u);
  EXPECT_TRUE(engine_->Downloads().at(0).from_origin);
  std::move(origin.copies.front())(MakeError(ErrorKind::kUnavailable, "down"));
  EXPECT_THAT(results_.at(0), HasKind(ErrorKind::kUnavailable));
  ASSERT_EQ(directory_.reports.size(), 1u);
  EXPECT_EQ(directory_.reports[0].fault, HolderFault::kOrigin);
}

TEST_F(FetchTest, WhileOthersReadTheOriginItAsksAgainWhenTold) {
  Fetch();
  Location wait;
  wait.retry_after = absl::Seconds(2);
  AnswerLocate(wait);
  Pass(absl::Seconds(1));
  EXPECT_EQ(directory_.requests.size(), 1u);
  Pass(absl::Milliseconds(1001));
  EXPECT_EQ(directory_.requests.size(), 2u);
}

TEST_F(FetchTest, ADirectoryThatIsOutIsAskedAFewTimes) {
  Fetch();
  for (int i = 0; i < 100 && results_.empty(); ++i) {
    if (!directory_.locates.empty()) AnswerLocate(MakeError(ErrorKind::kUnavailable, "out"));
    Pass(absl::Milliseconds(100));
  }
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0], HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(directory_.requests.size(), 4u);
}

TEST_F(FetchTest, AManifestOfOtherContentBansItsHolder) {
  Fetch();
  AnswerLocate(HeldBy({"liar"}));
  const LinkId liar = LinkTo("liar");
  engine_->OnLinkUp(liar);
  OpenedFrame opened;
  opened.channel = LastOpen(liar).channel;
  opened.manifest = MakeManifest(3)->Encode();
  engine_->OnFrame(liar, opened);
  EXPECT_TRUE(objects_.creates.empty());
  ASSERT_EQ(directory_.reports.size(), 1u);
  EXPECT_EQ(directory_.reports[0].fault, HolderFault::kCorrupt);
  EXPECT_EQ(events_.KindsOf(id_).back(), EventKind::kHolderBanned);
  Pass(absl::Seconds(1));
  EXPECT_EQ(directory_.requests.back().exclude, std::vector<std::string>{"liar"});
  AnswerLocate(HeldBy({}));
  EXPECT_THAT(results_.at(0), HasKind(ErrorKind::kCorrupt));
}

TEST_F(FetchTest, AWrongPieceBansItsSenderAndIsAskedOfAnother) {
  Download({"liar", "b"});
  const LinkId liar = LinkTo("liar");
  const uint32_t piece = Asked(liar).at(0);
  Arrive(liar, piece, Result::kCorrupt);
  EXPECT_EQ(engine_->counters().corrupt_pieces, 1u);
  EXPECT_EQ(network_.Of<CloseFrame>(liar).size(), 1u);
  ArriveAll(LinkTo("b"));
  EXPECT_EQ(objects_.seals.size(), 1u);
}

TEST_F(FetchTest, HoldersThatCannotCountToTheNumberOfPiecesAreHungUpOn) {
  Fetch();
  AnswerLocate(HeldBy({"a", "b", "honest"}));
  for (const char* const holder : {"a", "b"}) AnswerOpen(LinkTo(holder), {true});
  AnswerOpen(LinkTo("honest"));
  AnswerCreate(StoreWith({}));
  for (const char* const holder : {"a", "b"}) EXPECT_TRUE(network_.HungUp(LinkTo(holder)));
  ArriveAll(LinkTo("honest"));
  EXPECT_EQ(objects_.seals.size(), 1u);
}

TEST_F(FetchTest, APieceThatIsHereIsNotAskedForAgainWhoeverBroughtIt) {
  Download({"a"});
  const LinkId a = LinkTo("a");
  for (uint32_t piece = 0; piece < kPieces; ++piece) {
    // Another copy of it came, was right, and was not told of.
    static_cast<SimStore&>(*network_.into).held().Insert(piece);
  }
  for (const uint32_t piece : Asked(a)) {
    engine_->OnPiece(a, LastOpen(a).channel, piece, Result::kUnwanted);
  }
  ArriveAll(a);
  EXPECT_EQ(objects_.seals.size(), 1u);
}

TEST_F(FetchTest, WhoOwesPiecesIsLeftHoweverMuchHeTells) {
  Download({"a"});
  const LinkId a = LinkTo("a");
  for (int i = 0; i < 11; ++i) {
    engine_->OnFrame(a, HaveFrame{LastOpen(a).channel, {}});
    Pass(absl::Seconds(1));
  }
  EXPECT_EQ(network_.Of<CloseFrame>(a).size(), 1u);
}

TEST_F(FetchTest, APieceThatComesSlowlyIsWaitedFor) {
  Download({"a"});
  const LinkId a = LinkTo("a");
  engine_->OnPieceBegins(a, LastOpen(a).channel, Asked(a).at(0));
  for (int i = 0; i < 25; ++i) {
    network_.heard = clock_.Now();
    Pass(absl::Seconds(1));
  }
  EXPECT_TRUE(network_.Of<CloseFrame>(a).empty());
  for (int i = 0; i < 11; ++i) Pass(absl::Seconds(1));
  EXPECT_EQ(network_.Of<CloseFrame>(a).size(), 1u) << "nothing comes any more";
}

TEST_F(FetchTest, RefusalsInACircleAreNotFollowedRoundAndRound) {
  Fetch();
  AnswerLocate(HeldBy({"b"}));
  const auto refuse = [&](const std::string& holder, const std::string& alternative) {
    const LinkId link = LinkTo(holder);
    engine_->OnLinkUp(link);
    RefusedFrame refused;
    refused.channel = LastOpen(link).channel;
    refused.reason = RefusalReason::kNotHeld;
    refused.alternatives = {alternative};
    engine_->OnFrame(link, refused);
  };
  refuse("b", "c");
  refuse("c", "b");
  EXPECT_EQ(network_.dialled.size(), 2u);
}

TEST_F(FetchTest, ABrokenLinkIsDialledAgainAndBansNobody) {
  Download({"a"});
  engine_->OnLinkDown(LinkTo("a"), MakeError(ErrorKind::kUnavailable, "reset"));
  EXPECT_EQ(network_.dialled.size(), 1u) << "not at once";
  Pass(absl::Milliseconds(200));
  ASSERT_EQ(network_.dialled.size(), 2u);
  AnswerOpen(LinkTo("a"));
  EXPECT_FALSE(LastOpen(LinkTo("a")).want_manifest);
  ArriveAll(LinkTo("a"));
  EXPECT_EQ(objects_.seals.size(), 1u);
  EXPECT_EQ(engine_->counters().holders_banned, 0u);
}

TEST_F(FetchTest, APartialHolderIsPreferredToTheOnlyWholeCopy) {
  Fetch();
  AnswerLocate(HeldBy({"part", "whole"}));
  AnswerOpen(LinkTo("part"), {true, true, true, true, true, true, false, false});
  AnswerOpen(LinkTo("whole"));
  AnswerCreate(StoreWith({}));
  for (uint32_t piece : Asked(LinkTo("whole"))) EXPECT_GE(piece, 6u);
  EXPECT_EQ(Asked(LinkTo("whole")).size(), 2u);
}

TEST_F(FetchTest, WhatBeginsToComeIsCancelledElsewhere) {
  manifest_ = MakeManifest(1);
  Download({"a", "b"});
  const LinkId a = LinkTo("a");
  const LinkId b = LinkTo("b");
  ASSERT_EQ(Asked(a), std::vector<uint32_t>{0});
  ASSERT_EQ(Asked(b), std::vector<uint32_t>{0}) << "the last piece is asked of both";
  engine_->OnPieceBegins(a, LastOpen(a).channel, 0);
  EXPECT_TRUE(Asked(b).empty());
}

TEST_F(FetchTest, AHolderThatOwesPiecesTooLongIsLeft) {
  Download({"slow"});
  ASSERT_FALSE(Asked(LinkTo("slow")).empty());
  for (int i = 0; i < 101; ++i) Pass(absl::Milliseconds(100));
  ASSERT_FALSE(directory_.reports.empty());
  EXPECT_EQ(directory_.reports[0].fault, HolderFault::kSlow);
  EXPECT_FALSE(network_.Of<CloseFrame>(LinkId{1}).empty());
}

TEST_F(FetchTest, ADownloadWithoutProgressEnds) {
  Download({"a"});
  Arrive(LinkTo("a"), Asked(LinkTo("a")).at(0));
  for (int i = 0; i < 301 && results_.empty(); ++i) Pass(absl::Milliseconds(100));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0], HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(objects_.abandoned, 1);
  EXPECT_EQ(directory_.withdrawn, 1);
  EXPECT_EQ(events_.KindsOf(id_).back(), EventKind::kDownloadFailed);
}

TEST_F(FetchTest, WhatAnEarlierDownloadLeftIsNotAskedAgain) {
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  AnswerOpen(LinkTo("a"));
  AnswerCreate(StoreWith({0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Asked(LinkTo("a")), std::vector<uint32_t>{7});
  EXPECT_EQ(engine_->Downloads().at(0).bytes_done, 7u << 20);
}

TEST_F(FetchTest, AnEmptyObjectIsSealedWithoutAPiece) {
  manifest_ = MakeManifest(0);
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  AnswerOpen(LinkTo("a"));
  AnswerCreate(StoreWith({}));
  EXPECT_EQ(objects_.seals.size(), 1u);
}

TEST_F(FetchTest, ASmallObjectComesUnaskedFromOneHolder) {
  manifest_ = MakeManifest(1, 64 << 10);
  Fetch();
  AnswerLocate(HeldBy({"a", "b"}));
  EXPECT_EQ(network_.dialled.size(), 1u);
  const LinkId link{1};
  AnswerOpen(link);
  EXPECT_GT(LastOpen(link).eager_bytes, 0u);
  AnswerCreate(StoreWith({}));
  EXPECT_TRUE(Asked(link).empty());
  Arrive(link, 0);
  EXPECT_EQ(objects_.seals.size(), 1u);
}

TEST_F(FetchTest, EndsWithItsLastWaiter) {
  Fetch(OperationId{1});
  Fetch(OperationId{2});
  AnswerLocate(HeldBy({"a"}));
  AnswerOpen(LinkTo("a"));
  AnswerCreate(StoreWith({}));
  engine_->Cancel(OperationId{1});
  EXPECT_EQ(results_.size(), 1u);
  EXPECT_EQ(objects_.abandoned, 0);
  engine_->Cancel(OperationId{2});
  EXPECT_THAT(results_.at(1), HasKind(ErrorKind::kTimeout));
  EXPECT_EQ(objects_.abandoned, 1);
}

TEST_F(FetchTest, ADeadlineEndsItInTime) {
  Fetch(OperationId{1}, clock_.Now() + absl::Seconds(3));
  EXPECT_LE(engine_->NextTick(), clock_.Now() + absl::Seconds(3));
  Pass(absl::Seconds(3));
  EXPECT_THAT(results_.at(0), HasKind(ErrorKind::kTimeout));
}

TEST_F(FetchTest, AStoreThatComesTooLateIsGivenBack) {
  Fetch(OperationId{1});
  AnswerLocate(HeldBy({"a"}));
  AnswerOpen(LinkTo("a"));
  engine_->Cancel(OperationId{1});
  AnswerCreate(StoreWith({}));
  EXPECT_EQ(objects_.abandoned, 1);
}

TEST_F(FetchTest, MoreDownloadsThanAllowedWait) {
  TransferOptions options;
  options.max_downloads = 1;
  Start(options);
  Fetch();
  FetchRequest other;
  other.object_id = *ObjectId::Parse("models/b");
  engine_->Fetch(other, [](absl::Status) {});
  EXPECT_EQ(directory_.requests.size(), 1u);
  AnswerLocate(Location());
  EXPECT_EQ(directory_.requests.size(), 2u);
}

TEST_F(FetchTest, TheDownLimitHoldsBackRequests) {
  TransferOptions options;
  options.down_limit = 1 << 20;
  Start(options);
  Download({"a"});
  EXPECT_EQ(Asked(LinkTo("a")).size(), 1u);
  Pass(absl::Milliseconds(1100));
  EXPECT_EQ(Asked(LinkTo("a")).size(), 2u);
}

TEST_F(FetchTest, WhoBreaksTheProtocolIsHungUpOn) {
  Download({"a", "b", "c", "d"});
  const auto channel = [&](const char* holder) { return LastOpen(LinkTo(holder)).channel; };
  engine_->OnFrame(LinkTo("a"), HaveFrame{channel("a"), {kPieces}});
  EXPECT_TRUE(network_.HungUp(LinkTo("a"))) << "a piece beyond the last";
  engine_->OnFrame(LinkTo("b"), OpenedFrame{channel("b"), manifest_->Encode(), {}, {}});
  EXPECT_TRUE(network_.HungUp(LinkTo("b"))) << "opened twice";
  engine_->OnFrame(LinkTo("c"), HaveFrame{channel("c") + 100, {0}});
  EXPECT_TRUE(network_.HungUp(LinkTo("c"))) << "a channel that never was";
  engine_->OnFrame(LinkTo("d"), OpenFor(5));
  EXPECT_TRUE(network_.HungUp(LinkTo("d"))) << "a reader's frame from a holder";
  engine_->OnFrame(LinkId{999}, HaveFrame{1, {0}});
}

TEST_F(FetchTest, HeldOfAnotherSizeIsNoAnswer) {
  Fetch();
  AnswerLocate(HeldBy({"a"}));
  AnswerOpen(LinkTo("a"), {true, false});
  AnswerCreate(StoreWith({}));
  EXPECT_TRUE(network_.HungUp(LinkTo("a")));
}

TEST_F(FetchTest, AnIdleLinkIsHungUp) {
  Download({"a"});
  const LinkId a = LinkTo("a");
  ArriveAll(a);
  std::move(objects_.seals.front())(absl::OkStatus());
  Pass(absl::Seconds(59));
  EXPECT_FALSE(network_.HungUp(a));
  Pass(absl::Seconds(2));
  EXPECT_TRUE(network_.HungUp(a));
}

TEST_F(FetchTest, ShutDownFailsWhatIsFetched) {
  Download({"a"});
  engine_->ShutDown();
  EXPECT_THAT(results_.at(0), HasKind(ErrorKind::kUnavailable));
  Fetch();
  EXPECT_THAT(results_.at(1), HasKind(ErrorKind::kUnavailable));
}

TEST_F(FetchTest, ADiscardIsAnsweredByItsHolder) {
  absl::Status result = absl::OkStatus();
  engine_->DiscardAt("a", id_, [&](absl::Status status) { result = status; });
  const LinkId a = LinkTo("a");
  engine_->OnLinkUp(a);
  const DiscardFrame discard = network_.Of<DiscardFrame>(a).at(0);
  engine_->OnFrame(a, DiscardedFrame{discard.channel, false, ErrorKind::kBusy});
  EXPECT_THAT(result, HasKind(ErrorKind::kBusy));
  engine_->DiscardAt("b", id_, [&](absl::Status status) { result = status; });
  engine_->OnLinkDown(LinkTo("b"), MakeError(ErrorKind::kUnavailable, "refused"));
  EXPECT_THAT(result, HasKind(ErrorKind::kUnavailable));
}

}  // namespace
}  // namespace packice
