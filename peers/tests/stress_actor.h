// What the stress tests do to a peer: an actor for each thread, at random, and an oracle beside
// them that knows what may never be seen.
//
// The bytes of an object are a function of its stamp, which is new for each creation and stands in
// the metadata. So whoever reads an object can tell whether all of it, and nothing else, is there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/core/testing/pending.h"

namespace packice {

constexpr uint64_t kStressCapacity = 150'000;  // bytes

// Fails when two hold at once what only one may.
class Exclusive {
 public:
  void Enter() { EXPECT_EQ(holders_.fetch_add(1), 0); }
  void Leave() { EXPECT_EQ(holders_.fetch_sub(1), 1); }

 private:
  std::atomic<int> holders_{0};
};

struct StressOracle {
  static constexpr size_t kIds = 24;
  // More than there are stamps.
  static constexpr size_t kWriterPlaces = 1 << 16;

  std::atomic<uint64_t> next_stamp{1};
  std::array<Exclusive, kIds> creators;
  std::array<Exclusive, kWriterPlaces> writers;
  // What really happened, to see that the test tests something.
  std::atomic<uint64_t> sealed{0};
  std::atomic<uint64_t> read{0};
  std::atomic<uint64_t> discarded{0};
  std::atomic<uint64_t> moved{0};
  std::atomic<uint64_t> doomed_grants{0};

  // Sessions that somebody shall end.
  Mutex mutex;
  std::vector<SessionId> doomed ABSL_GUARDED_BY(mutex);

  void Doom(SessionId session) {
    MutexLock lock(mutex);
    doomed.push_back(session);
  }
  SessionId TakeDoomed(uint64_t random) {
    MutexLock lock(mutex);
    if (doomed.empty()) return SessionId::kNone;
    std::swap(doomed[random % doomed.size()], doomed.back());
    const SessionId session = doomed.back();
    doomed.pop_back();
    return session;
  }
};

class StressActor {
 public:
  // All outlive it.
  StressActor(Peer& peer, StressOracle& oracle, uint64_t seed);

  // Some thousand steps; fewer once a test has failed.
  void Run();

  // Once all sessions have ended and nothing is under way.
  void CheckTheEnd();

  SessionId session() const { return session_; }

 private:
  // Bytes that outlive their lease.
  struct Kept {
    uint64_t stamp;
    std::shared_ptr<Object> object;
    Mapping mapping;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  absl::Duration AnyWait();
  // Of an object that may be discarded, moved and expire.
  size_t AnyUnsteadyId();

  AcquireRequest Request(Access access, size_t id, uint64_t stamp = 0);
  absl::StatusOr<Grant> Acquire(AcquireRequest request);
  LeaseRequest Of(const Grant& grant) { return {grant.lease.id, session_, OperationId::kNone}; }
  SealRequest SealOf(const Grant& grant);

  void Write(const Grant& grant, uint64_t stamp);
  // A sealed object has all of its bytes, by every way.
  Kept Check(const std::shared_ptr<Object>& object);
  static void CheckBytes(const Kept& kept);
  void Keep(Kept kept);

  // --- Steps.

  void Put();
  void Get();
  // While this thread has a lease on it, whatever room is wanted.
  void ExpectThatItStays(size_t id, uint64_t stamp);
  void Remove();
  void Move();
  // Acquires and waits of a session that somebody else ends, at any moment.
  void BeginDoomedSession();
  void EndDoomedSession();
  // Leases that nobody releases. Their objects may or may not come to be sealed.
  void UseShortTtl();
  void CancelAWait();
  void Look();

  Peer& peer_;
  StressOracle& oracle_;
  std::mt19937_64 random_;
  const SessionId session_;
  std::vector<Kept> kept_;
  std::vector<Pending<absl::StatusOr<Grant>>> doomed_waits_;
};

}  // namespace packice
