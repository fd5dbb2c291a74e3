// Tiers among threads: each owns some ids, and so knows of each whether it must be there; all read
// each other's, and whatever is read must be whole. Meanwhile cold goes away and comes back.
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/testing/faulty_peer.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/peers/tiered_peer.h"
#include "temp_dir.h"

namespace packice {
namespace {

constexpr int kThreads = 4;
constexpr int kIds = 12;  // of each thread
constexpr int kSteps = 2000;
constexpr uint64_t kHot = 64 * 1024;  // about a quarter of what there is
constexpr uint64_t kLargest = 12 * 1024;

enum class Knowledge { kAbsent, kPresent, kUnknown };

bool IsOneOf(const absl::Status& status, std::initializer_list<ErrorKind> kinds) {
  for (const ErrorKind kind : kinds) {
    if (KindOf(status) == kind) return true;
  }
  return false;
}

// One thread's calls, and what it knows of its own objects.
class Actor {
 public:
  Actor(TieredPeer& peer, int number)
      : peer_(peer), number_(number), session_(NewSessionId()), random_(number + 1) {}

  void Step() {
    const int which = Below(kIds);
    switch (Below(10)) {
      case 0:
      case 1:
      case 2:
        if (known_[which] == Knowledge::kPresent) return Remove(which);
        return known_[which] == Knowledge::kAbsent ? Put(which) : Get(which);
      case 3:
        return Rename(which);
      case 4:
        return Look(IdOf(Below(kThreads), Below(kIds)));
      default:
        return Below(2) == 0 ? Get(which) : Look(IdOf(Below(kThreads), Below(kIds)));
    }
  }

  // When all is well again, everything is as its owner knows.
  void CheckAll() {
    for (int which = 0; which < kIds; ++which) {
      const absl::Status status = Read(IdOf(number_, which));
      if (known_[which] == Knowledge::kPresent) {
        EXPECT_THAT(status, IsOk()) << IdOf(number_, which);
      } else if (known_[which] == Knowledge::kAbsent) {
        EXPECT_THAT(status, HasKind(ErrorKind::kNotFound)) << IdOf(number_, which);
      }
    }
  }
  int puts() const { return puts_; }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }
  static std::string IdOf(int owner, int which) { return absl::StrCat(owner, "/", which); }

  AcquireRequest Request(Access access, const std::string& id) const {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    request.session = session_;
    return request;
  }
  LeaseRequest Of(const Grant& grant) const {
    return {grant.lease.id, session_, OperationId::kNone};
  }

  void Put(int which) {
    const std::string id = IdOf(number_, which);
    AcquireRequest request = Request(Access::kCreate, id);
    const uint64_t size = 1 + Below(kLargest);
    request.blob_sizes = {size};
    absl::StatusOr<Grant> grant = blocking::Acquire(peer_, std::move(request));
    if (!grant.ok()) {
      const bool may_be_there = known_[which] != Knowledge::kAbsent;
      EXPECT_TRUE(IsOneOf(grant.status(), {ErrorKind::kCapacity, ErrorKind::kUnavailable}) ||
                  (may_be_there && IsOneOf(grant.status(), {ErrorKind::kAlreadyExists})))
          << id << ": " << grant.status();
      return;
    }
    const std::string bytes(size, static_cast<char>('a' + size % 26));
    EXPECT_THAT(grant->object->blobs()[0]->Write(0, bytes), IsOk());
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = session_;
    const absl::StatusOr<Sealed> sealed = blocking::Seal(peer_, std::move(seal));
    EXPECT_THAT(sealed, IsOk()) << id;
    known_[which] = Knowledge::kPresent;
    ++puts_;
    EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
  }

  // Whether it is there, whole.
  absl::Status Read(const std::string& id) {
    const absl::StatusOr<Grant> grant = blocking::Acquire(peer_, Request(Access::kRead, id));
    if (!grant.ok()) return grant.status();
    std::string bytes(grant->object->size(), '\0');
    const absl::StatusOr<size_t> got =
        grant->object->blobs()[0]->Read(0, absl::MakeSpan(bytes.data(), bytes.size()));
    absl::Status status = got.status();
    if (got.ok()) {
      EXPECT_EQ(*got, bytes.size()) << id;
      const char fill = static_cast<char>('a' + bytes.size() % 26);
      EXPECT_EQ(bytes, std::string(bytes.size(), fill)) << id;
    }
    blocking::Release(peer_, Of(*grant)).IgnoreError();
    return status;
  }

  void Get(int which) {
    const absl::Status status = Read(IdOf(number_, which));
    if (status.ok()) {
      EXPECT_NE(known_[which], Knowledge::kAbsent) << IdOf(number_, which) << " came back";
    } else if (known_[which] == Knowledge::kPresent) {
      EXPECT_THAT(status, HasKind(ErrorKind::kUnavailable)) << IdOf(number_, which);
    }
  }

  void Look(const std::string& id) { Read(id).IgnoreError(); }

  void Remove(int which) {
    const std::string id = IdOf(number_, which);
    const absl::StatusOr<Grant> grant = blocking::Acquire(peer_, Request(Access::kWrite, id));
    if (!grant.ok()) {
      // A lease whose grant was lost may still be there for a while.
      EXPECT_TRUE(IsOneOf(grant.status(), {ErrorKind::kUnavailable, ErrorKind::kBusy}))
          << id << ": " << grant.status();
      return;
    }
    const absl::Status discarded = blocking::Discard(peer_, Of(*grant));
    known_[which] = discarded.ok() ? Knowledge::kAbsent : Knowledge::kUnknown;
    blocking::Release(peer_, Of(*grant)).IgnoreError();
  }

  void Rename(int which) {
    const int to = Below(kIds);
    if (known_[which] != Knowledge::kPresent || known_[to] != Knowledge::kAbsent) return;
    const absl::StatusOr<Grant> grant =
        blocking::Acquire(peer_, Request(Access::kWrite, IdOf(number_, which)));
    if (!grant.ok()) return;
    const absl::Status moved = blocking::Relocate(
        peer_, {grant->lease.id, *ObjectId::Parse(IdOf(number_, to)), session_, {}});
    if (moved.ok()) {
      std::swap(known_[which], known_[to]);
    } else if (!IsOneOf(moved, {ErrorKind::kBusy})) {
      known_[which] = known_[to] = Knowledge::kUnknown;
    }
    blocking::Release(peer_, Of(*grant)).IgnoreError();
  }

  TieredPeer& peer_;
  const int number_;
  const SessionId session_;
  std::minstd_rand random_;
  Knowledge known_[kIds] = {};
  int puts_ = 0;
};

void RunActors(FaultyPeer::Blobs blobs, bool faults) {
  const TempDir directory;
  LocalPeerOptions hot;
  hot.capacity = kHot;
  auto cold = std::make_unique<FaultyPeer>(MakeMemoryPeer(), blobs);
  FaultyPeer& faulty = *cold;
  TieredPeerOptions options;
  options.flush_after = absl::Milliseconds(5);
  options.promote_hits = 1;
  options.first_retry = absl::Milliseconds(1);
  options.last_retry = absl::Milliseconds(10);
  options.discard_log = directory.path() + "/discards";
  const auto opened = TieredPeer::Open(MakeMemoryPeer(hot), std::move(cold), std::move(options));
  ASSERT_THAT(opened, IsOk());
  TieredPeer& peer = **opened;

  std::vector<std::unique_ptr<Actor>> actors;
  std::vector<std::thread> threads;
  std::atomic<int> running{kThreads};
  for (int i = 0; i < kThreads; ++i) {
    actors.push_back(std::make_unique<Actor>(peer, i));
    threads.emplace_back([&running, &actor = *actors.back()] {
      for (int step = 0; step < kSteps; ++step) actor.Step();
      --running;
    });
  }
  std::minstd_rand random(7);
  while (running.load() > 0) {
    if (faults && random() % 3 == 0) faulty.GoDown();
    for (int i = 0; i < 20; ++i) blocking::Stats(peer).IgnoreError();
    EXPECT_LE(blocking::Stats(peer)->tiers[0].bytes, kHot);
    faulty.EndSessions();  // as connections break
    faulty.ComeBack();
    blocking::List(peer, {}).IgnoreError();
  }
  for (std::thread& thread : threads) thread.join();
  // The next probe tells that cold is back.
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (blocking::Stats(peer)->tiers[1].state == TierState::kDown && absl::Now() < deadline) {
    std::this_thread::yield();
  }
  ASSERT_THAT(peer.Flush(absl::Minutes(1)), IsOk());
  int puts = 0;
  for (const auto& actor : actors) {
    actor->CheckAll();
    puts += actor->puts();
  }
  EXPECT_GT(puts, kThreads * kIds);
  const absl::StatusOr<PeerStats> stats = blocking::Stats(peer);
  ASSERT_THAT(stats, IsOk());
  EXPECT_GT(stats->tiers[0].demotions, 0u);
  EXPECT_GT(stats->tiers[0].promotions, 0u);
}

TEST(TieredStressTest, OverATierOnThisHost) { RunActors(FaultyPeer::Blobs::kLocal, false); }
TEST(TieredStressTest, OverARemoteTier) { RunActors(FaultyPeer::Blobs::kRemote, false); }
TEST(TieredStressTest, OverATierThatGoesAndComesBack) {
  RunActors(FaultyPeer::Blobs::kLocal, true);
}
TEST(TieredStressTest, OverARemoteTierThatGoesAndComesBack) {
  RunActors(FaultyPeer::Blobs::kRemote, true);
}

}  // namespace
}  // namespace packice
