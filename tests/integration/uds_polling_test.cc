// Nodes and clients that keep a core busy while they wait, instead of having it woken: they do so
// for as long as they were told, and are otherwise like all others.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

constexpr absl::Duration kForEver = absl::InfiniteDuration();
constexpr absl::Duration kAMoment = absl::Milliseconds(1);

absl::Duration CpuTime(int whose) {
  rusage usage;
  EXPECT_EQ(getrusage(whose, &usage), 0);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}
// Of all threads but this one.
absl::Duration OthersCpuTime() { return CpuTime(RUSAGE_SELF) - CpuTime(RUSAGE_THREAD); }

class UdsPolling : public testing::Test {
 protected:
  void StartServer(absl::Duration busy_poll) {
    server_.reset();
    UdsServerOptions options;
    options.path = path();
    options.busy_poll = busy_poll;
    server_ = *UdsServer::Start(*node_, options);
  }
  std::unique_ptr<UdsPeer> Connect(absl::Duration spin = absl::ZeroDuration()) const {
    UdsPeerOptions options;
    options.path = path();
    options.spin = spin;
    return *UdsPeer::Connect(options);
  }
  static AcquireRequest Request(Access access, absl::Duration wait = absl::ZeroDuration()) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse("a");
    request.wait = wait;
    return request;
  }
  std::string path() const { return directory_ / "socket"; }

  TemporaryDirectory directory_;
  std::unique_ptr<Peer> node_ = MakeMemoryPeer(LocalPeerOptions());
  std::unique_ptr<UdsServer> server_;
};

TEST_F(UdsPolling, ANodeThatAlwaysPollsAnswersDrainsAndStops) {
  for (const bool drains : {true, false}) {
    StartServer(kForEver);
    const std::unique_ptr<UdsPeer> peer = Connect();
    for (int i = 0; i < 100; ++i) ASSERT_THAT(blocking::Stats(*peer), IsOk());
    if (drains) server_->Drain(kPatience);
    server_.reset();
    EXPECT_THAT(blocking::Stats(*peer), HasKind(ErrorKind::kUnavailable));
  }
}

TEST_F(UdsPolling, ANodeThatAlwaysPollsEndsWaitsWhenItDrains) {
  StartServer(kForEver);
  const std::unique_ptr<UdsPeer> peer = Connect();
  ASSERT_THAT(blocking::Acquire(*peer, Request(Access::kCreate)), IsOk());
  Pending<absl::StatusOr<Grant>> waiting;
  peer->Acquire(Request(Access::kRead, absl::Hours(1)), waiting.Callback());
  ASSERT_TRUE(Eventually([&] { return blocking::Stats(*node_)->waiting == 1; }));
  server_->Drain(kPatience);
  EXPECT_THAT(waiting.Wait(), HasKind(ErrorKind::kUnavailable));
}

TEST_F(UdsPolling, ANodeGoesOnPollingAfterItsLastRequest) {
  StartServer(kForEver);
  const std::unique_ptr<UdsPeer> peer = Connect();
  const absl::Duration before = OthersCpuTime();
  EXPECT_TRUE(Eventually([&] { return OthersCpuTime() - before > absl::Milliseconds(20); }));
}

TEST_F(UdsPolling, ANodeSleepsOnceItsTimeIsOver) {
  StartServer(kAMoment);
  const std::unique_ptr<UdsPeer> peer = Connect();
  for (int i = 0; i < 100; ++i) ASSERT_THAT(blocking::Stats(*peer), IsOk());
  ASSERT_THAT(blocking::Acquire(*peer, Request(Access::kCreate)), IsOk());
  const absl::Duration before = CpuTime(RUSAGE_SELF);
  EXPECT_THAT(blocking::Acquire(*peer, Request(Access::kRead, absl::Seconds(1))),
              HasKind(ErrorKind::kTimeout));
  EXPECT_LT(CpuTime(RUSAGE_SELF) - before, absl::Milliseconds(250));
  EXPECT_THAT(blocking::Stats(*peer), IsOk());
}

TEST_F(UdsPolling, AClientThatSpinsGetsTheAnswersOfAllItsThreads) {
  for (const absl::Duration spin : {absl::Microseconds(20), kAMoment, kForEver}) {
    StartServer(kAMoment);
    const std::unique_ptr<UdsPeer> peer = Connect(spin);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 200; ++k) ASSERT_THAT(blocking::Stats(*peer), IsOk());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(UdsPolling, AClientSpinsForAsLongAsItWasToldAndThenSleeps) {
  StartServer(absl::ZeroDuration());
  ASSERT_THAT(blocking::Acquire(*node_, Request(Access::kCreate)), IsOk());
  const auto wait = [&](UdsPeer& peer, absl::Duration length) {
    const absl::Duration before = CpuTime(RUSAGE_THREAD);
    EXPECT_THAT(blocking::Acquire(peer, Request(Access::kRead, length)),
                HasKind(ErrorKind::kTimeout));
    return CpuTime(RUSAGE_THREAD) - before;
  };
  EXPECT_LT(wait(*Connect(kAMoment), absl::Seconds(1)), absl::Milliseconds(250));
  const std::unique_ptr<UdsPeer> spinning = Connect(kForEver);
  EXPECT_TRUE(Eventually(
      [&] { return wait(*spinning, absl::Milliseconds(100)) > absl::Milliseconds(20); }));
}

TEST_F(UdsPolling, AClientThatAlwaysSpinsIsToldWhenTheNodeGoes) {
  StartServer(absl::ZeroDuration());
  const std::unique_ptr<UdsPeer> peer = Connect(kForEver);
  ASSERT_THAT(blocking::Acquire(*node_, Request(Access::kCreate)), IsOk());
  std::thread waiter([&] {
    EXPECT_THAT(blocking::Acquire(*peer, Request(Access::kRead, absl::Hours(1))),
                HasKind(ErrorKind::kUnavailable));
  });
  EXPECT_TRUE(Eventually([&] { return blocking::Stats(*node_)->waiting == 1; }));
  server_.reset();
  waiter.join();
}

TEST_F(UdsPolling, AClientThatAlwaysSpinsHasItsTimeouts) {
  // Takes connections and says nothing.
  const UniqueFd silent(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path().data(), path().size());
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(silent.get(), 1), 0);
  UdsPeerOptions options;
  options.path = path();
  options.call_timeout = absl::Milliseconds(50);
  options.spin = kForEver;
  EXPECT_THAT(UdsPeer::Connect(options), HasKind(ErrorKind::kTimeout));
}

}  // namespace
}  // namespace packice
