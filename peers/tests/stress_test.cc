// Many threads on one MemoryPeer, with the real clock, its own reaper and real memory; an oracle
// beside it knows what may never be seen.
//
// The bytes of an object are a function of its stamp, which is new for each creation and stands in
// the metadata. So whoever reads an object can tell whether all of it, and nothing else, is there.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/mutex.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/lru_policy.h"
#include "packice/peers/memory_peer.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PACKICE_SANITIZED
#endif
#endif

namespace packice {
namespace {

#ifdef PACKICE_SANITIZED
constexpr int kSteps = 500;  // of each thread
#else
constexpr int kSteps = 8000;
#endif
constexpr int kThreads = 8;
constexpr uint64_t kCapacity = 150'000;  // bytes
constexpr uint64_t kMaxSize = 20'000;
constexpr size_t kIds = 24;
// Objects of the first few ids are never discarded and have no TTL: only eviction may take them.
constexpr size_t kSteadyIds = 6;
// More than there are stamps.
constexpr size_t kWriterPlaces = 1 << 16;

uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccd;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

uint64_t SizeOf(uint64_t stamp) { return Mix(stamp) % kMaxSize; }

std::string BytesOf(uint64_t stamp) {
  std::string bytes(SizeOf(stamp), '\0');
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = Mix(stamp * 1'000'003 + i);
    for (size_t j = i; j < std::min(i + 8, bytes.size()); ++j) {
      bytes[j] = static_cast<char>(word >> (8 * (j - i)));
    }
  }
  return bytes;
}

// Fails when two hold at once what only one may.
class Exclusive {
 public:
  void Enter() { EXPECT_EQ(holders_.fetch_add(1), 0); }
  void Leave() { EXPECT_EQ(holders_.fetch_sub(1), 1); }

 private:
  std::atomic<int> holders_{0};
};

struct Oracle {
  std::atomic<uint64_t> next_stamp{1};
  std::array<Exclusive, kIds> creators;
  std::array<Exclusive, kWriterPlaces> writers;
  // What really happened, to see that the test tests something.
  std::atomic<uint64_t> sealed{0};
  std::atomic<uint64_t> read{0};
  std::atomic<uint64_t> discarded{0};
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

class Actor {
 public:
  Actor(LocalPeer& peer, Oracle& oracle, uint64_t seed)
      : peer_(peer), oracle_(oracle), random_(seed), session_(NewSessionId()) {}

  void Run() {
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) {
      const uint64_t choice = Below(100);
      if (choice < 30) {
        Put();
      } else if (choice < 60) {
        Get();
      } else if (choice < 70) {
        Remove();
      } else if (choice < 80) {
        BeginDoomedSession();
      } else if (choice < 88) {
        UseShortTtl();
      } else if (choice < 92) {
        CancelAWait();
      } else {
        Look();
      }
      if (Chance(10)) EndDoomedSession();
    }
  }

  // Once all sessions have ended.
  void CheckTheEnd() {
    for (const auto& pending : doomed_waits_) {
      EXPECT_TRUE(pending.IsDone());
      EXPECT_EQ(pending.calls(), 1);
    }
    for (const Kept& kept : kept_) CheckBytes(kept);
  }
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

  static ObjectId Id(size_t i) { return *ObjectId::Parse(absl::StrCat("object-", i)); }

  AcquireRequest Request(Access access, size_t id, uint64_t stamp = 0) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.session = session_;
    if (access != Access::kCreate) return request;
    request.metadata.Set("stamp", absl::StrCat(stamp));
    if (Chance(70)) request.blob_sizes = {SizeOf(stamp)};
    if (id >= kSteadyIds && Chance(20)) request.object_ttl = absl::Milliseconds(1 + Below(5));
    return request;
  }
  absl::Duration AnyWait() { return Chance(50) ? absl::ZeroDuration() : absl::Milliseconds(20); }

  // Only what the rules allow when somebody else was quicker.
  template <typename T>
  static bool Granted(const absl::StatusOr<T>& answer, std::initializer_list<ErrorKind> allowed) {
    if (answer.ok()) return true;
    EXPECT_NE(std::find(allowed.begin(), allowed.end(), KindOf(answer.status())), allowed.end())
        << answer.status();
    return false;
  }
  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    return blocking::Acquire(peer_, std::move(request));
  }
  LeaseRequest Of(const Grant& grant) { return {grant.lease.id, session_, OperationId::kNone}; }
  SealRequest SealOf(const Grant& grant) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = session_;
    return request;
  }

  void Write(const Grant& grant, uint64_t stamp) {
    const std::string bytes = BytesOf(stamp);
    const size_t chunk = 1 + Below(kMaxSize / 2);
    for (size_t offset = 0; offset < bytes.size(); offset += chunk) {
      const absl::string_view part = absl::string_view(bytes).substr(offset, chunk);
      EXPECT_THAT(grant.object->blobs()[0]->Write(offset, part), IsOk());
      if (Chance(20)) std::this_thread::yield();
    }
  }

  static uint64_t StampOf(const Metadata& metadata) {
    uint64_t stamp = 0;
    const absl::optional<absl::string_view> text = metadata.Find("stamp");
    EXPECT_TRUE(text.has_value() && absl::SimpleAtoi(*text, &stamp));
    return stamp;
  }

  // A sealed object has all of its bytes, by every way.
  Kept Check(const std::shared_ptr<Object>& object) {
    EXPECT_EQ(object->state(), ObjectState::kSealed);
    Kept kept{StampOf(object->metadata()), object, Mapping()};
    absl::StatusOr<Mapping> mapping = object->blobs()[0]->Map(MapAccess::kReadOnly);
    EXPECT_THAT(mapping, IsOk());
    if (mapping.ok()) kept.mapping = *std::move(mapping);
    CheckBytes(kept);
    return kept;
  }
  static void CheckBytes(const Kept& kept) {
    const std::string expected = BytesOf(kept.stamp);
    const Blob& blob = *kept.object->blobs()[0];
    ASSERT_EQ(blob.size(), expected.size());
    std::string bytes(expected.size(), '\0');
    EXPECT_THAT(blob.Read(0, absl::MakeSpan(bytes.data(), bytes.size())),
                IsOkAndHolds(bytes.size()));
    EXPECT_TRUE(bytes == expected) << "read: torn or changed";
    EXPECT_TRUE(kept.mapping.view() == expected) << "mapped: torn or changed";
  }
  void Keep(Kept kept) {
    if (kept_.size() < 8) {
      kept_.push_back(std::move(kept));
      return;
    }
    Kept& old = kept_[Below(kept_.size())];
    CheckBytes(old);
    old = std::move(kept);
  }

  // --- Steps.

  void Put() {
    const size_t id = Below(kIds);
    const uint64_t stamp = oracle_.next_stamp.fetch_add(1);
    AcquireRequest request = Request(Access::kCreate, id, stamp);
    request.wait = AnyWait();
    absl::StatusOr<Grant> grant = Acquire(request);
    if (!Granted(grant, {ErrorKind::kAlreadyExists, ErrorKind::kBusy, ErrorKind::kTimeout,
                         ErrorKind::kCapacity})) {
      return;
    }
    oracle_.creators[id].Enter();
    EXPECT_EQ(grant->object->state(), ObjectState::kCreating);
    Write(*grant, stamp);
    const uint64_t end = Below(10);
    oracle_.creators[id]
        .Leave();  // a moment early: another one may be granted before we hear of it
    if (end == 0) {
      EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
      return;
    }
    if (end == 1) {
      EXPECT_THAT(blocking::Discard(peer_, Of(*grant)), IsOk());
      return;
    }
    const absl::StatusOr<Sealed> sealed = blocking::Seal(peer_, SealOf(*grant));
    if (!Granted(sealed, {ErrorKind::kCapacity})) {
      EXPECT_TRUE(request.blob_sizes.empty());
      EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
      return;
    }
    oracle_.sealed.fetch_add(1);
    EXPECT_EQ(sealed->size, SizeOf(stamp));
    Kept kept = Check(grant->object);
    EXPECT_EQ(kept.stamp, stamp);
    if (id < kSteadyIds) ExpectThatItStays(id, stamp);
    Keep(std::move(kept));
    EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
  }

  void Get() {
    const size_t id = Below(kIds);
    AcquireRequest request = Request(Access::kRead, id);
    request.wait = AnyWait();
    absl::StatusOr<Grant> grant = Acquire(request);
    if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kNotSealed, ErrorKind::kTimeout})) return;
    oracle_.read.fetch_add(1);
    Kept kept = Check(grant->object);
    if (id < kSteadyIds) ExpectThatItStays(id, kept.stamp);
    EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
    if (Chance(50)) Keep(std::move(kept));
  }

  // While this thread has a lease on it, whatever room is wanted.
  void ExpectThatItStays(size_t id, uint64_t stamp) {
    AcquireRequest pressure;
    pressure.access = Access::kCreate;
    pressure.session = session_;
    pressure.blob_sizes = {kCapacity / (1 + Below(10))};
    absl::StatusOr<Grant> grant = Acquire(pressure);
    if (Granted(grant, {ErrorKind::kCapacity})) {
      EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(ObjectInfo info, blocking::Stat(peer_, Id(id)));
    EXPECT_EQ(StampOf(info.metadata), stamp) << "evicted though leased";
    EXPECT_GE(info.leases, 1u);
  }

  void Remove() {
    const size_t id = kSteadyIds + Below(kIds - kSteadyIds);
    AcquireRequest request = Request(Access::kWrite, id);
    request.wait = AnyWait();
    absl::StatusOr<Grant> grant = Acquire(request);
    if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kBusy, ErrorKind::kTimeout})) return;
    // The right is to this object: once its own TTL has taken it, the next one of the id has a
    // writer of its own. Those of one object would meet in the same place.
    Exclusive& writers = oracle_.writers[StampOf(grant->object->metadata()) % kWriterPlaces];
    writers.Enter();
    Kept kept = Check(grant->object);
    writers.Leave();
    if (Chance(30)) {
      EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
    } else {
      EXPECT_THAT(blocking::Discard(peer_, Of(*grant)), IsOk());
      oracle_.discarded.fetch_add(1);
    }
    CheckBytes(kept);
  }

  // Acquires and waits of a session that somebody else ends, at any moment.
  void BeginDoomedSession() {
    const SessionId session = NewSessionId();
    std::vector<Pending<absl::StatusOr<Grant>>> waits;
    const uint64_t count = 1 + Below(4);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t choice = Below(3);
      const Access access = choice == 0   ? Access::kRead
                            : choice == 1 ? Access::kCreate
                                          : Access::kWrite;
      const size_t id = kSteadyIds + Below(kIds - kSteadyIds);
      const uint64_t stamp = oracle_.next_stamp.fetch_add(1);
      AcquireRequest request = Request(access, id, stamp);
      request.session = session;
      request.wait = absl::Hours(1);
      Pending<absl::StatusOr<Grant>>& pending = waits.emplace_back();
      peer_.Acquire(request, pending.Callback());
    }
    oracle_.Doom(session);
    if (Chance(50)) EndDoomedSession();
    for (const auto& pending : waits) {
      doomed_waits_.push_back(pending);
      if (!pending.IsDone()) continue;
      const absl::StatusOr<Grant> grant = pending.Wait();
      if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kAlreadyExists, ErrorKind::kCapacity,
                           ErrorKind::kUnavailable})) {
        continue;
      }
      oracle_.doomed_grants.fetch_add(1);
      if (grant->lease.access != Access::kCreate) {
        Check(grant->object);
        continue;
      }
      // Write and seal, and see how far one gets.
      Write(*grant, StampOf(grant->object->metadata()));
      SealRequest request = SealOf(*grant);
      request.session = session;
      if (Granted(blocking::Seal(peer_, request),
                  {ErrorKind::kLeaseExpired, ErrorKind::kCapacity})) {
        Check(grant->object);
      }
    }
  }
  void EndDoomedSession() {
    const SessionId session = oracle_.TakeDoomed(random_());
    if (session != SessionId::kNone) peer_.EndSession(session);
  }

  // Leases that nobody releases. Their objects may or may not come to be sealed.
  void UseShortTtl() {
    const uint64_t choice = Below(3);
    const size_t id = kSteadyIds + Below(kIds - kSteadyIds);
    const uint64_t stamp = oracle_.next_stamp.fetch_add(1);
    AcquireRequest request = Request(choice == 0   ? Access::kRead
                                     : choice == 1 ? Access::kCreate
                                                   : Access::kWrite,
                                     id, stamp);
    request.ttl = absl::Microseconds(1 + Below(3000));
    request.wait = AnyWait();
    absl::StatusOr<Grant> grant = Acquire(request);
    if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kAlreadyExists, ErrorKind::kBusy,
                         ErrorKind::kNotSealed, ErrorKind::kTimeout, ErrorKind::kCapacity,
                         ErrorKind::kUnavailable})) {
      return;
    }
    if (Chance(20)) {
      RenewRequest renew;
      renew.lease_id = grant->lease.id;
      renew.ttl = absl::Microseconds(1 + Below(3000));
      Granted(blocking::Renew(peer_, renew), {ErrorKind::kLeaseExpired});
    }
    if (choice != 1) {
      Check(grant->object);
      return;
    }
    Write(*grant, stamp);
    if (Granted(blocking::Seal(peer_, SealOf(*grant)),
                {ErrorKind::kLeaseExpired, ErrorKind::kCapacity})) {
      Keep(Check(grant->object));
    }
  }

  void CancelAWait() {
    AcquireRequest request = Request(Chance(50) ? Access::kRead : Access::kWrite, Below(kIds));
    request.operation = NewOperationId();
    request.wait = absl::Hours(1);
    Pending<absl::StatusOr<Grant>> pending;
    peer_.Acquire(request, pending.Callback());
    peer_.Cancel(request.operation);
    const absl::StatusOr<Grant> grant = pending.Wait();
    if (Granted(grant, {ErrorKind::kNotFound, ErrorKind::kTimeout})) {
      EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
    }
    EXPECT_EQ(pending.calls(), 1);
  }

  void Look() {
    ASSERT_OK_AND_ASSIGN(PeerStats stats, blocking::Stats(peer_));
    EXPECT_LE(stats.bytes, kCapacity);
    ASSERT_OK_AND_ASSIGN(ListPage page, blocking::List(peer_, {}));
    for (const ObjectInfo& info : page.objects) {
      if (info.state == ObjectState::kSealed && info.metadata.Find("stamp").has_value()) {
        EXPECT_EQ(info.size(), SizeOf(StampOf(info.metadata)));
      }
    }
  }

  LocalPeer& peer_;
  Oracle& oracle_;
  std::mt19937_64 random_;
  const SessionId session_;
  std::vector<Kept> kept_;
  std::vector<Pending<absl::StatusOr<Grant>>> doomed_waits_;
};

void Stress(LocalPeer& peer) {
  Oracle oracle;
  std::vector<std::unique_ptr<Actor>> actors;
  for (int i = 0; i < kThreads; ++i) {
    actors.push_back(std::make_unique<Actor>(peer, oracle, static_cast<uint64_t>(i)));
  }
  std::atomic<bool> stop{false};
  std::thread sampler([&] {
    while (!stop.load()) {
      EXPECT_LE(blocking::Stats(peer)->bytes, kCapacity);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (auto& actor : actors) threads.emplace_back([&actor] { actor->Run(); });
  for (std::thread& thread : threads) thread.join();
  stop.store(true);
  sampler.join();

  for (SessionId session = oracle.TakeDoomed(0); session != SessionId::kNone;
       session = oracle.TakeDoomed(0)) {
    peer.EndSession(session);
  }
  for (auto& actor : actors) peer.EndSession(actor->session());
  // Only leases with a TTL are left, and the reaper sees to those.
  PeerStats stats;
  const absl::Time patience = absl::Now() + absl::Seconds(20);
  do {
    std::this_thread::yield();
    stats = *blocking::Stats(peer);
  } while (stats.read_leases + stats.create_leases + stats.write_leases > 0 &&
           absl::Now() < patience);
  EXPECT_EQ(stats.read_leases, 0u);
  EXPECT_EQ(stats.create_leases, 0u);
  EXPECT_EQ(stats.write_leases, 0u);
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(stats.creating, 0u);

  absl::StatusOr<ListPage> page = blocking::List(peer, {});
  ASSERT_THAT(page, IsOk());
  for (const ObjectInfo& info : page->objects) {
    EXPECT_EQ(info.leases, 0u) << info.object_id.ToQuoted();
    AcquireRequest request;
    request.access = Access::kWrite;
    request.object_id = info.object_id;
    absl::StatusOr<Grant> grant = blocking::Acquire(peer, request);
    if (!grant.ok()) {
      EXPECT_THAT(grant, HasKind(ErrorKind::kNotFound)) << "expired meanwhile, or not at all";
      continue;
    }
    EXPECT_THAT(blocking::Discard(peer, {grant->lease.id, {}, {}}), IsOk());
  }
  stats = *blocking::Stats(peer);
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  for (auto& actor : actors) actor->CheckTheEnd();

  // The threads did get at each other.
  EXPECT_GT(oracle.sealed, 0u);
  EXPECT_GT(oracle.read, 0u);
  EXPECT_GT(oracle.discarded, 0u);
  EXPECT_GT(oracle.doomed_grants, 0u);
  EXPECT_GT(stats.evictions, 0u);
  EXPECT_GT(stats.expired_leases, 0u);
  EXPECT_GT(stats.expired_objects, 0u);
}

TEST(StressTest, AMemoryPeerKeepsTheRules) {
  LocalPeerOptions options;
  options.capacity = kCapacity;
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer(options);
  Stress(*peer);
}

// The same with descriptors so scarce that sealed blobs move into packs all the time.
TEST(StressTest, AMemoryPeerKeepsTheRulesWhileItsBlobsMove) {
  MemoryBlobStoreOptions store;
  store.high_water = 4;
  store.pack_min_blobs = 2;
  store.pack_blobs = 8;
  LocalPeerOptions options;
  options.capacity = kCapacity;
  LocalPeer peer(std::make_unique<MemoryBlobStore>(store),
                 std::make_unique<MemoryLeaseTable>(*options.clock), std::make_unique<LruPolicy>(),
                 options);
  Stress(peer);
}

}  // namespace
}  // namespace packice
