// What a node of a swarm answers to its operators.
#include "cli/swarm_extension.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/download_watch.h"
#include "fake_swarm.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"

namespace packice::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr OperationId kOperation = static_cast<OperationId>(7);

class SwarmExtensionTest : public testing::Test {
 protected:
  SwarmExtensionTest() {
    swarm_.self.address = "10.0.0.1:7701";
    swarm_.self.gossip_address = "10.0.0.1:7702";
    swarm_.self.zone = "a";
  }

  void Begin(absl::string_view op, absl::string_view json = "{}",
             absl::Duration wait = absl::ZeroDuration()) {
    answer_ = absl::nullopt;
    extension_.Call({std::string(op), std::string(json), wait}, kOperation,
                    [this](absl::StatusOr<std::string> answer) { answer_ = std::move(answer); });
  }
  absl::StatusOr<std::string> Ask(absl::string_view op, absl::string_view json = "{}") {
    Begin(op, json);
    EXPECT_TRUE(answer_.has_value());
    return *answer_;
  }

  FakeSwarm swarm_;
  SwarmExtension extension_{swarm_};
  absl::optional<absl::StatusOr<std::string>> answer_;
};

TEST_F(SwarmExtensionTest, Members) {
  swarm_.members = {swarm_.self};
  swarm_.members[0].role = "node";
  swarm_.members[0].load = 0.5;
  swarm_.members[0].age = absl::Seconds(3);
  swarm_.members.emplace_back();
  swarm_.members[1].gossip_address = "10.0.0.2:7702";
  swarm_.members[1].state = MemberState::kSuspect;
  EXPECT_THAT(
      Ask("members"),
      IsOkAndHolds(
          R"({"members":[{"address":"10.0.0.1:7701","gossip_address":"10.0.0.1:7702",)"
          R"("state":"alive","zone":"a","role":"node","load":0.5,"age_seconds":3},)"
          R"({"address":"","gossip_address":"10.0.0.2:7702","state":"suspect","zone":"","role":"",)"
          R"("load":0,"age_seconds":0}]})"));
}

TEST_F(SwarmExtensionTest, HoldersAmongThemThisNodeItself) {
  Location location;
  location.digest = ContentDigest(HashKind::kXxh3, std::string(16, '\1'));
  location.size = 1000;
  location.pieces = 4;
  location.holders.resize(1);
  location.holders[0].address = "10.0.0.2:7701";
  location.holders[0].pieces_held = 3;
  swarm_.locations["a"] = location;
  EXPECT_THAT(
      Ask("locate", R"({"object_id":"a"})"),
      IsOkAndHolds(StartsWith(absl::StrCat(
          R"({"object_id":"a","digest":"xxh3:01010101010101010101010101010101","size":1000,)",
          R"("pieces":4,"holders":[{"address":"10.0.0.2:7701","zone":"","complete":false,)",
          R"("pieces_held":3,"pieces":4,)"))));
  swarm_.here["a"] = 1000;
  EXPECT_THAT(Ask("locate", R"({"object_id":"a"})"),
              IsOkAndHolds(HasSubstr(
                  R"("holders":[{"address":"10.0.0.1:7701","zone":"a","complete":true,)")));
  swarm_.here["fresh"] = 5;
  EXPECT_THAT(Ask("locate", R"({"object_id":"fresh"})"),
              IsOkAndHolds(StartsWith(R"({"object_id":"fresh","digest":null,"size":5,)")));
  EXPECT_THAT(Ask("locate", R"({"object_id":"b"})"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Ask("locate"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Ask("locate", R"({"object_id":1})"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Ask("locate", R"({"object_id":""})"), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(SwarmExtensionTest, TransfersAndTheDownloadsOfTheSameObject) {
  swarm_.transfers = {{*ObjectId::Parse("a"), "10.0.0.2:7701", true, 10, 2.5, 1}};
  swarm_.downloads = {{*ObjectId::Parse("a"), 100, 50, 2, 7, false},
                      {*ObjectId::Parse("b"), 0, 0, 0, 0, true}};
  const std::string transfer =
      R"({"object_id":"a","peer":"10.0.0.2:7701","direction":"up","bytes":10,"rate":2.5,)"
      R"("in_flight":1})";
  const std::string download =
      R"({"object_id":"a","size":100,"bytes_done":50,"sources":2,"rate":7,"from_origin":false})";
  EXPECT_THAT(Ask("transfers", R"({"object_id":"a"})"),
              IsOkAndHolds(absl::StrCat(R"({"transfers":[)", transfer, R"(],"downloads":[)",
                                        download, "]}")));
  EXPECT_THAT(Ask("transfers"), IsOkAndHolds(HasSubstr(R"({"object_id":"b","size":0,)")));
}

TEST_F(SwarmExtensionTest, PrefetchTellsHowEachEnded) {
  swarm_.failures["b"] = MakeError(ErrorKind::kNotFound, "nobody has it");
  swarm_.failures["c"] = MakeError(ErrorKind::kAlreadyExists, "it is here");
  EXPECT_THAT(Ask("prefetch", R"({"ids":["a","b","c"]})"),
              IsOkAndHolds(R"({"objects":3,"fetched":2,"failed":[{"object_id":"b",)"
                           R"("error":{"kind":"not_found","message":"nobody has it"}}]})"));
  EXPECT_THAT(swarm_.fetched, ElementsAre("a", "b", "c"));
  EXPECT_THAT(Ask("prefetch", R"({"object_id":"b"})"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(swarm_.deadline, absl::InfiniteDuration());
  Begin("prefetch", R"({"object_id":"a"})", absl::Seconds(100));
  EXPECT_LT(swarm_.deadline, absl::InfiniteDuration());
}

TEST_F(SwarmExtensionTest, PrefetchOfAPrefixGoesThroughAllPages) {
  for (int i = 0; i < 2500; ++i) swarm_.listed.push_back(absl::StrCat("p/", 10000 + i));
  swarm_.listed.push_back("q");
  EXPECT_THAT(Ask("prefetch", R"({"prefix":"p/"})"),
              IsOkAndHolds(R"({"objects":2500,"fetched":2500,"failed":[]})"));
  EXPECT_EQ(swarm_.fetched.back(), "p/12499");
  EXPECT_THAT(Ask("prefetch", R"({"prefix":"none/"})"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Ask("prefetch", R"({"prefix":1})"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Ask("prefetch", R"({"prefix":"p","ids":["a"]})"),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Ask("prefetch"), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(SwarmExtensionTest, FewPrefetchesAreUnderWayAtATime) {
  swarm_.hold = true;
  for (int i = 0; i < 100; ++i) swarm_.listed.push_back(absl::StrCat("p/", 100 + i));
  Begin("prefetch", R"({"prefix":"p/"})");
  EXPECT_EQ(swarm_.held.size(), 64u);
  swarm_.Finish(absl::OkStatus());
  EXPECT_EQ(swarm_.held.size(), 64u);
  EXPECT_EQ(swarm_.fetched.size(), 65u);
  while (!swarm_.held.empty()) swarm_.Finish(absl::OkStatus());
  ASSERT_TRUE(answer_.has_value());
  EXPECT_THAT(*answer_, IsOkAndHolds(HasSubstr(R"("fetched":100)")));
}

TEST_F(SwarmExtensionTest, ACancelledPrefetchBeginsNoMore) {
  swarm_.hold = true;
  for (int i = 0; i < 100; ++i) swarm_.listed.push_back(absl::StrCat("p/", 100 + i));
  Begin("prefetch", R"({"prefix":"p/"})");
  extension_.Cancel(kOperation);
  EXPECT_THAT(swarm_.cancelled, ElementsAre(kOperation));
  while (!swarm_.held.empty()) swarm_.Finish(MakeError(ErrorKind::kTimeout, "cancelled"));
  EXPECT_EQ(swarm_.fetched.size(), 64u);
  ASSERT_TRUE(answer_.has_value());
  EXPECT_THAT(*answer_, IsOkAndHolds(StartsWith(R"({"objects":100,"fetched":0,"failed":[)")));
}

TEST_F(SwarmExtensionTest, StopEndsWhatGoesOn) {
  swarm_.hold = true;
  for (int i = 0; i < 100; ++i) swarm_.listed.push_back(absl::StrCat("p/", 100 + i));
  Begin("prefetch", R"({"prefix":"p/"})");
  extension_.Stop();
  while (!swarm_.held.empty()) swarm_.Finish(MakeError(ErrorKind::kUnavailable, "going"));
  EXPECT_EQ(swarm_.fetched.size(), 64u);
  Begin("prefetch", R"({"prefix":"p/"})");
  EXPECT_TRUE(answer_.has_value()) << "nothing begins any more";
  EXPECT_EQ(swarm_.fetched.size(), 64u);
}

TEST_F(SwarmExtensionTest, RemoveTellsWhatEachHolderSaid) {
  swarm_.removals = {{"", absl::OkStatus()},
                     {"10.0.0.2:7701", MakeError(ErrorKind::kBusy, "it is read")}};
  EXPECT_THAT(
      Ask("remove", R"({"object_id":"a"})"),
      IsOkAndHolds(R"({"object_id":"a","removed":1,"holders":[{"holder":"","status":"discarded"},)"
                   R"({"holder":"10.0.0.2:7701",)"
                   R"("error":{"kind":"busy","message":"it is read"}}]})"));
  swarm_.removals.clear();
  EXPECT_THAT(Ask("remove", R"({"object_id":"a"})"), HasKind(ErrorKind::kNotFound));
}

TEST_F(SwarmExtensionTest, FiguresForStatsAndPrometheus) {
  swarm_.figures.transfers.sent_bytes = 11;
  swarm_.figures.transfers.downloads_started = 5;
  swarm_.figures.transfers.downloads_finished = 2;
  swarm_.figures.transfers.downloads_failed = 1;
  swarm_.figures.links = 3;
  swarm_.figures.members = 4;
  const std::string text = extension_.MetricsText();
  EXPECT_THAT(text, HasSubstr("# HELP packice_swarm_sent_bytes_total Bytes of pieces given to "
                              "other nodes.\n# TYPE packice_swarm_sent_bytes_total counter\n"
                              "packice_swarm_sent_bytes_total 11\n"));
  EXPECT_THAT(text, HasSubstr("\npackice_swarm_downloads 2\n"));
  EXPECT_THAT(text, HasSubstr("\npackice_swarm_links 3\n"));
  EXPECT_THAT(text, HasSubstr("\npackice_gossip_probes_total 5\n"));
  EXPECT_THAT(extension_.StatsJson(),
              StartsWith(R"({"swarm":{"address":"10.0.0.1:7701","gossip_address":"10.0.0.1:7702",)"
                         R"("zone":"a","members":4,"links":3,"downloads":2,"sent_bytes":11,)"));
}

TEST(NoSwarm, EveryOperationIsUnsupported) {
  SwarmExtension extension;
  for (const std::string& op : extension.Ops()) {
    absl::StatusOr<std::string> answer;
    extension.Call({op}, OperationId::kNone,
                   [&](absl::StatusOr<std::string> given) { answer = std::move(given); });
    EXPECT_THAT(answer, HasKind(ErrorKind::kUnsupported)) << op;
  }
  EXPECT_EQ(extension.StatsJson(), "");
  EXPECT_EQ(extension.MetricsText(), "");
}

TEST(DownloadLine, SaysHowFarAndFromWhere) {
  DownloadState state;
  state.size = 4 << 20;
  state.bytes_done = 1 << 20;
  state.sources = 3;
  state.rate = 1 << 20;
  EXPECT_EQ(FormatDownload(state, 120),
            "copying  25% [==========                              ] 1.0 MiB of 4.0 MiB  1.0 MiB/s "
            "from 3 nodes  0:03 left");
  state.from_origin = true;
  EXPECT_THAT(FormatDownload(state, 200), HasSubstr("from the origin"));
  state.size = 0;
  EXPECT_EQ(FormatDownload(state, 200), "copying  1.0 MiB  1.0 MiB/s from the origin");
}

}  // namespace
}  // namespace packice::cli
