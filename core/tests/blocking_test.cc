#include "packice/core/blocking.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

const absl::Status kFailure = MakeError(ErrorKind::kBusy, "in the way");

// Where a peer's callbacks run.
enum class When { kAtOnce, kOnAnotherThread, kWhileTheCallerWaits };

// Answers every call with what it was asked, and acquires of a write lease with a failure.
class EchoPeer final : public Peer {
 public:
  explicit EchoPeer(When when) : when_(when) {}
  ~EchoPeer() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override {
    absl::StatusOr<Grant> grant = kFailure;
    if (request.access != Access::kWrite) {
      grant = Grant();
      grant->lease.object_id = request.object_id;
    }
    Answer(std::move(done), std::move(grant));
  }
  void Cancel(OperationId) override {}
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override {
    Answer(std::move(done), absl::StatusOr<Sealed>(Sealed{ObjectId(), *request.size}));
  }
  void Discard(LeaseRequest, Done<absl::Status> done) override {
    Answer(std::move(done), kFailure);
  }
  void Release(LeaseRequest, Done<absl::Status> done) override {
    Answer(std::move(done), absl::OkStatus());
  }
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override {
    Answer(std::move(done), absl::StatusOr<absl::Duration>(request.ttl));
  }
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override {
    ObjectInfo info;
    info.object_id = object_id;
    Answer(std::move(done), absl::StatusOr<ObjectInfo>(info));
  }
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override {
    ListPage page;
    page.next = *ObjectId::Parse(request.prefix);
    Answer(std::move(done), absl::StatusOr<ListPage>(page));
  }
  void Stats(Done<absl::StatusOr<PeerStats>> done) override {
    PeerStats stats;
    stats.objects = 7;
    Answer(std::move(done), absl::StatusOr<PeerStats>(stats));
  }
  void EndSession(SessionId) override {}

  void Await(absl::FunctionRef<void()> calls, Latch& done) override {
    if (when_ != When::kWhileTheCallerWaits) return Peer::Await(calls, done);
    calls();
    while (!done.IsSet()) std::exchange(lent_, nullptr)();
  }

 private:
  template <typename T, typename U>
  void Answer(Done<T> done, U answer) {
    absl::AnyInvocable<void()> run = [done = std::move(done),
                                      answer = T(std::move(answer))]() mutable {
      std::move(done)(std::move(answer));
    };
    switch (when_) {
      case When::kAtOnce:
        return run();
      case When::kOnAnotherThread:
        threads_.emplace_back(std::move(run));
        return;
      case When::kWhileTheCallerWaits:
        lent_ = std::move(run);
        return;
    }
  }

  const When when_;
  std::vector<std::thread> threads_;
  absl::AnyInvocable<void()> lent_;
};

class BlockingTest : public testing::TestWithParam<When> {
 protected:
  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

  EchoPeer peer_{GetParam()};
};

std::string NameOf(const testing::TestParamInfo<When>& when) {
  switch (when.param) {
    case When::kAtOnce:
      return "AtOnce";
    case When::kOnAnotherThread:
      return "OnAnotherThread";
    case When::kWhileTheCallerWaits:
      return "WhileTheCallerWaits";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Answers, BlockingTest,
                         testing::Values(When::kAtOnce, When::kOnAnotherThread,
                                         When::kWhileTheCallerWaits),
                         NameOf);

TEST_P(BlockingTest, EveryCallComesBackWithItsAnswer) {
  AcquireRequest acquire;
  acquire.object_id = Id("a");
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer_, acquire));
  EXPECT_EQ(grant.lease.object_id, Id("a"));

  SealRequest seal;
  seal.size = 5;
  ASSERT_OK_AND_ASSIGN(Sealed sealed, blocking::Seal(peer_, seal));
  EXPECT_EQ(sealed.size, 5u);

  EXPECT_THAT(blocking::Discard(peer_, {}), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(blocking::Release(peer_, {}), IsOk());

  RenewRequest renew;
  renew.ttl = absl::Seconds(3);
  EXPECT_THAT(blocking::Renew(peer_, renew), IsOkAndHolds(absl::Seconds(3)));

  ASSERT_OK_AND_ASSIGN(ObjectInfo info, blocking::Stat(peer_, Id("b")));
  EXPECT_EQ(info.object_id, Id("b"));

  ListRequest list;
  list.prefix = "c";
  ASSERT_OK_AND_ASSIGN(ListPage page, blocking::List(peer_, list));
  EXPECT_EQ(page.next, Id("c"));

  ASSERT_OK_AND_ASSIGN(PeerStats stats, blocking::Stats(peer_));
  EXPECT_EQ(stats.objects, 7u);
}

TEST_P(BlockingTest, AFailureComesBackAsItIs) {
  AcquireRequest request;
  request.access = Access::kWrite;
  const auto grant = blocking::Acquire(peer_, request);
  EXPECT_THAT(grant, HasKind(ErrorKind::kBusy));
  EXPECT_EQ(grant.status().message(), "in the way");
}

TEST(AwaitTest, AnswersMayBeAnything) {
  EchoPeer peer(When::kOnAnotherThread);
  const int answer = blocking::Await<int>(peer, [&](Done<int> done) {
    peer.Stats([done = std::move(done)](absl::StatusOr<PeerStats> stats) mutable {
      std::move(done)(static_cast<int>(stats->objects));
    });
  });
  EXPECT_EQ(answer, 7);
}

}  // namespace
}  // namespace packice
