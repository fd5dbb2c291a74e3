// What a directory does when its trackers come and go.
#include "packice/p2p/tracker_directory.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "loopback_trackers.h"
#include "packice/core/testing/pending.h"
#include "packice/core/unique_fd.h"
#include "packice/p2p/directory_chain.h"
#include "packice/p2p/testing/directory_watch_conformance.h"
#include "packice/p2p/testing/plain_directory.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A port that takes connections and never says a word.
class SilentPort {
 public:
  SilentPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd_.get(), 64), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  const std::string& address() const { return address_; }

 private:
  UniqueFd fd_;
  std::string address_;
};

class TrackerDirectoryTest : public testing::Test {
 protected:
  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  static Holding Whole(absl::string_view id) {
    Holding holding;
    holding.object_id = Id(id);
    holding.digest = ContentDigest(HashKind::kXxh3, std::string(16, 'd'));
    holding.size = 100;
    holding.pieces = holding.pieces_held = 1;
    holding.sealed_at = absl::FromUnixSeconds(100);
    return holding;
  }
  static TrackerDirectoryOptions Options(const std::string& address,
                                         std::vector<std::string> trackers) {
    TrackerDirectoryOptions options;
    options.trackers = std::move(trackers);
    options.address = address;
    options.batch_delay = absl::Milliseconds(1);
    options.call_timeout = absl::Seconds(10);
    return options;
  }
  static absl::StatusOr<Location> Locate(Directory& directory, absl::string_view id,
                                         bool has_origin = false) {
    LocateRequest request;
    request.object_id = Id(id);
    request.has_origin = has_origin;
    Pending<absl::StatusOr<Location>> pending;
    directory.Locate(std::move(request), pending.Callback());
    return pending.Wait();
  }
  static bool Finds(Directory& directory, absl::string_view id) {
    const auto location = Locate(directory, id);
    return location.ok() && location->holders.size() == 1;
  }
  static absl::StatusOr<std::vector<ObjectId>> List(Directory& directory) {
    Pending<absl::StatusOr<std::vector<ObjectId>>> pending;
    directory.List("", "", 100, pending.Callback());
    return pending.Wait();
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static std::unique_ptr<TrackerServer> StartAt(const std::string& address) {
    TrackerOptions options = LoopbackTracker();
    options.listen = address;
    return StartTracker(options);
  }
};

TEST_F(TrackerDirectoryTest, WhatMakesNoSenseIsRefused) {
  EXPECT_THAT(TrackerDirectory::Make(Options("x:1", {})), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(TrackerDirectory::Make(Options("x:1", {"no port"})),
              HasKind(ErrorKind::kInvalidArgument));
  TrackerDirectoryOptions options = Options("x:1", {"127.0.0.1:1"});
  options.tls.authority = "/nonexistent/authority.pem";
  EXPECT_THAT(TrackerDirectory::Make(options), HasKind(ErrorKind::kIo));
}

TEST_F(TrackerDirectoryTest, ATrackerThatIsStartedAnewIsToldOfEverything) {
  auto tracker = StartTracker();
  const std::string address = tracker->address();
  auto x = Join(Options("x:1", {address}));
  auto y = Join(Options("y:1", {address}));
  for (int i = 0; i < 100; ++i) x->Announce(Whole(absl::StrCat("o", i)));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());

  tracker.reset();
  EXPECT_THAT(Locate(*y, "o1"), HasKind(ErrorKind::kUnavailable));
  x->Withdraw(Id("o2"));
  tracker = StartAt(address);
  EXPECT_TRUE(Eventually([&] { return Finds(*y, "o1") && Finds(*y, "o99"); }));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  EXPECT_FALSE(Finds(*y, "o2"));
  EXPECT_TRUE(Eventually([&] { return tracker->Stats().nodes == 2; }));
  EXPECT_EQ(tracker->Stats().holdings, 99u);
}

TEST_F(TrackerDirectoryTest, OneOfTwoTrackersMayBeLostWithoutLoss) {
  auto first = StartTracker();
  auto second = StartTracker();
  const std::vector<std::string> addresses = {first->address(), second->address()};
  auto x = Join(Options("x:1", addresses));
  auto y = Join(Options("y:1", addresses));
  std::vector<ObjectId> ids;
  for (int i = 10; i < 30; ++i) {
    x->Announce(Whole(absl::StrCat("o", i)));
    ids.push_back(Id(absl::StrCat("o", i)));
  }
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());

  first.reset();
  for (const ObjectId& id : ids) EXPECT_TRUE(Finds(*y, id.bytes())) << id.ToQuoted();
  EXPECT_THAT(List(*y), IsOkAndHolds(ids));
  x->Announce(Whole("later"));
  EXPECT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  EXPECT_TRUE(Finds(*y, "later"));

  first = StartAt(addresses[0]);
  EXPECT_TRUE(Eventually([&] { return first->Stats().holdings == 21; }));
  second.reset();
  for (const ObjectId& id : ids) EXPECT_TRUE(Finds(*y, id.bytes())) << id.ToQuoted();
  first.reset();
  EXPECT_THAT(Locate(*y, "o10"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(List(*y), HasKind(ErrorKind::kUnavailable));
  x->Announce(Whole("too late"));
  EXPECT_THAT(x->Flush(absl::Seconds(20)), HasKind(ErrorKind::kUnavailable));
}

TEST_F(TrackerDirectoryTest, ATrackerThatNeverAnswersHoldsUpNobody) {
  SilentPort silent;
  auto tracker = StartTracker();
  TrackerDirectoryOptions options = Options("y:1", {silent.address(), tracker->address()});
  options.call_timeout = absl::Milliseconds(500);
  auto x = Join(Options("x:1", {tracker->address()}));
  auto y = Join(options);
  x->Announce(Whole("a"));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());

  std::vector<Pending<absl::StatusOr<Location>>> pending(20);
  const absl::Time start = absl::Now();
  for (auto& each : pending) {
    LocateRequest request;
    request.object_id = Id("a");
    y->Locate(std::move(request), each.Callback());
  }
  for (auto& each : pending) EXPECT_THAT(each.Wait()->holders, SizeIs(1));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5)) << "they waited at the same time";
}

TEST_F(TrackerDirectoryTest, WhereNoTrackerAnswersTheCallSaysSoInTime) {
  SilentPort silent;
  TrackerDirectoryOptions options = Options("y:1", {silent.address()});
  options.call_timeout = absl::Milliseconds(200);
  auto y = Join(options);
  const absl::Time start = absl::Now();
  EXPECT_THAT(Locate(*y, "a"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(List(*y), HasKind(ErrorKind::kUnavailable));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(350));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  y->Announce(Whole("a"));
  EXPECT_THAT(y->Flush(absl::Milliseconds(1)), HasKind(ErrorKind::kTimeout));
  EXPECT_THAT(y->Flush(absl::Seconds(20)), HasKind(ErrorKind::kUnavailable));
}

TEST_F(TrackerDirectoryTest, ANodeThatLeavesIsGoneAtOnceAndStaysGone) {
  auto tracker = StartTracker();
  auto x = Join(Options("x:1", {tracker->address()}));
  auto y = Join(Options("y:1", {tracker->address()}));
  x->Announce(Whole("a"));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  ASSERT_TRUE(Finds(*y, "a"));
  ASSERT_THAT(x->Leave(absl::Seconds(20)), IsOk());
  EXPECT_FALSE(Finds(*y, "a"));
  x->Announce(Whole("b"));
  EXPECT_FALSE(Finds(*y, "b"));
}

TEST_F(TrackerDirectoryTest, ANodeThatEndsWithoutAWordIsGoneAfterThreeIntervals) {
  TrackerOptions short_lived = LoopbackTracker();
  short_lived.interval = absl::Milliseconds(300);
  auto tracker = StartTracker(short_lived);
  auto x = Join(Options("x:1", {tracker->address()}));
  auto y = Join(Options("y:1", {tracker->address()}));
  WatchedChanges changes;
  const auto watch = y->WatchPrefix("", changes.Callback());
  x->Announce(Whole("a"));
  ASSERT_TRUE(Eventually([&] { return changes.Last(Id("a")) == 1; }));
  x.reset();
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("a")) == 0; }));
  EXPECT_FALSE(Finds(*y, "a"));
  EXPECT_EQ(tracker->Stats().expired_nodes, 1u);
}

TEST_F(TrackerDirectoryTest, WhoOnlyAsksIsNoNode) {
  auto tracker = StartTracker();
  auto x = Join(Options("x:1", {tracker->address()}));
  auto asker = Join(Options("", {tracker->address()}));
  x->Announce(Whole("a"));
  asker->Announce(Whole("b"));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  ASSERT_THAT(asker->Flush(absl::Seconds(20)), IsOk());
  EXPECT_TRUE(Finds(*asker, "a"));
  EXPECT_FALSE(Finds(*asker, "b"));
  EXPECT_EQ(tracker->Stats().nodes, 1u);
}

TEST_F(TrackerDirectoryTest, AWatchOutlivesTheTrackerAndMissesNothingThatStays) {
  auto tracker = StartTracker();
  const std::string address = tracker->address();
  auto x = Join(Options("x:1", {address}));
  auto y = Join(Options("y:1", {address}));
  WatchedChanges changes;
  const auto watch = y->WatchPrefix("", changes.Callback());
  x->Announce(Whole("a"));
  ASSERT_TRUE(Eventually([&] { return changes.Last(Id("a")) == 1; }));
  tracker.reset();
  x->Announce(Whole("b"));
  tracker = StartAt(address);
  EXPECT_TRUE(Eventually([&] { return changes.Last(Id("b")) == 1; }));
}

TEST_F(TrackerDirectoryTest, AWatchMayEndInItsOwnCallback) {
  auto tracker = StartTracker();
  auto x = Join(Options("x:1", {tracker->address()}));
  std::unique_ptr<Directory::Watch> watch;
  Mutex mutex;
  int calls = 0;
  {
    MutexLock lock(mutex);
    watch = x->WatchPrefix("", [&](const DirectoryChange&) {
      MutexLock inner(mutex);
      ++calls;
      watch.reset();
    });
  }
  x->Announce(Whole("a"));
  x->Announce(Whole("b"));
  EXPECT_TRUE(Eventually([&] {
    MutexLock lock(mutex);
    return calls == 1 && watch == nullptr;
  }));
  ASSERT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  EXPECT_TRUE(Eventually([&] { return tracker->Stats().watches == 0; }));
  MutexLock lock(mutex);
  EXPECT_EQ(calls, 1);
}

TEST_F(TrackerDirectoryTest, TellsHowItsTrackersAre) {
  auto tracker = StartTracker();
  SilentPort silent;
  TrackerDirectoryOptions options = Options("x:1", {tracker->address(), silent.address()});
  options.call_timeout = absl::Milliseconds(300);
  auto x = Join(options);
  x->Announce(Whole("a"));
  EXPECT_THAT(x->Flush(absl::Seconds(20)), IsOk());
  int reachable = 0;
  for (const TrackerDirectory::TrackerState& state : x->Trackers()) {
    if (!state.reachable) {
      EXPECT_EQ(state.address, silent.address());
      EXPECT_THAT(state.failure, HasSubstr(silent.address()));
      EXPECT_EQ(state.last_answer, absl::InfiniteDuration());
      continue;
    }
    ++reachable;
    EXPECT_EQ(state.stats.nodes, 1u);
    EXPECT_EQ(state.stats.holdings, 1u);
    EXPECT_LT(state.last_answer, absl::Seconds(10));
  }
  EXPECT_EQ(reachable, 1);
  EXPECT_THAT(x->MetricsText(), HasSubstr("packice_directory_holdings 1\n"));
  EXPECT_THAT(x->MetricsText(), HasSubstr(absl::StrCat("packice_tracker_reachable{tracker=\"",
                                                       tracker->address(), "\"} 1\n")));
}

TEST_F(TrackerDirectoryTest, CallsUnderWayAreAnsweredWhenTheDirectoryEnds) {
  SilentPort silent;
  auto x = Join(Options("x:1", {silent.address()}));
  Pending<absl::StatusOr<Location>> pending;
  LocateRequest request;
  request.object_id = Id("a");
  x->Locate(std::move(request), pending.Callback());
  x.reset();
  ASSERT_TRUE(pending.IsDone());
  EXPECT_THAT(pending.Wait(), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(pending.calls(), 1);
}

TEST_F(TrackerDirectoryTest, AMemberAnnouncesAMillionObjects) {
  constexpr int kObjects = 1'000'000;
  TrackerOptions patient = LoopbackTracker();
  patient.interval = absl::Minutes(1);
  auto tracker = StartTracker(patient);
  auto x = Join(Options("x:1", {tracker->address()}));
  auto y = Join(Options("y:1", {tracker->address()}));
  for (int i = 0; i < kObjects; ++i) x->Announce(Whole(absl::StrCat("some object ", i)));
  ASSERT_THAT(x->Flush(absl::Minutes(2)), IsOk());
  EXPECT_EQ(tracker->Stats().holdings, static_cast<uint64_t>(kObjects));
  EXPECT_TRUE(Finds(*y, absl::StrCat("some object ", kObjects - 1)));
}

// --- The chain.

class DirectoryChainTest : public TrackerDirectoryTest {
 protected:
  PlainDirectoryFleet first_;
  PlainDirectoryFleet second_;
  std::unique_ptr<Directory> first_x_ = first_.Join("x:1", "");
  std::unique_ptr<Directory> second_x_ = second_.Join("x:1", "");
  std::unique_ptr<Directory> first_y_ = first_.Join("y:1", "");
  std::unique_ptr<Directory> second_y_ = second_.Join("y:1", "");
  DirectoryChain chain_{{first_y_.get(), second_y_.get()}};
};

TEST_F(DirectoryChainTest, TheNextIsAskedWhereOneKnowsNobodyOrCannotTell) {
  second_x_->Announce(Whole("a"));
  EXPECT_TRUE(Finds(chain_, "a"));
  first_.SetUnavailable(true);
  EXPECT_TRUE(Finds(chain_, "a"));
}

TEST_F(DirectoryChainTest, WhoCanTellDecidesWhereNobodyIsFound) {
  first_.SetUnavailable(true);
  EXPECT_TRUE(Locate(chain_, "a")->digest.empty());
  first_.SetUnavailable(false);
  second_.SetUnavailable(true);
  EXPECT_TRUE(Locate(chain_, "a")->digest.empty());
  first_.SetUnavailable(true);
  EXPECT_THAT(Locate(chain_, "a"), HasKind(ErrorKind::kUnavailable));
}

TEST_F(DirectoryChainTest, OnlyOneOfThemIsAskedForTheOrigin) {
  EXPECT_TRUE(Locate(chain_, "a", true)->origin_grant.has_value());
  const auto others = {second_.Join("p:1", ""), second_.Join("q:1", "")};
  for (const auto& other : others) {
    EXPECT_TRUE(Locate(*other, "a", true)->origin_grant.has_value()) << "none is taken there";
  }
}

TEST_F(DirectoryChainTest, ARightThatIsNotNeededGoesBack) {
  second_x_->Announce(Whole("a"));
  EXPECT_FALSE(Locate(chain_, "a", true)->origin_grant.has_value());
  const auto others = {first_.Join("p:1", ""), first_.Join("q:1", "")};
  for (const auto& other : others) {
    EXPECT_TRUE(Locate(*other, "a", true)->origin_grant.has_value());
  }
}

TEST_F(DirectoryChainTest, ListsComeFromTheFirstThatCanTell) {
  first_x_->Announce(Whole("a"));
  second_x_->Announce(Whole("b"));
  EXPECT_THAT(List(chain_), IsOkAndHolds(ElementsAre(Id("a"))));
  first_.SetUnavailable(true);
  EXPECT_THAT(List(chain_), IsOkAndHolds(ElementsAre(Id("b"))));
  second_.SetUnavailable(true);
  EXPECT_THAT(List(chain_), HasKind(ErrorKind::kUnavailable));
}

TEST_F(DirectoryChainTest, AWatchHearsAllOfThem) {
  WatchedChanges changes;
  const auto watch = chain_.WatchPrefix("", changes.Callback());
  first_x_->Announce(Whole("a"));
  second_x_->Announce(Whole("b"));
  EXPECT_EQ(changes.Last(Id("a")), 1);
  EXPECT_EQ(changes.Last(Id("b")), 1);
}

}  // namespace
}  // namespace packice
