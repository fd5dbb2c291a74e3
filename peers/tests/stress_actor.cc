#include "stress_actor.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"

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
constexpr uint64_t kMaxSize = 20'000;
constexpr size_t kIds = StressOracle::kIds;
// Objects of the first few ids are never discarded, moved, and have no TTL: only eviction may take
// them.
constexpr size_t kSteadyIds = 6;

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

ObjectId Id(size_t i) { return *ObjectId::Parse(absl::StrCat("object-", i)); }

// Only what the rules allow when somebody else was quicker.
template <typename T>
bool Granted(const absl::StatusOr<T>& answer, std::initializer_list<ErrorKind> allowed) {
  if (answer.ok()) return true;
  EXPECT_NE(std::find(allowed.begin(), allowed.end(), KindOf(answer.status())), allowed.end())
      << answer.status();
  return false;
}

uint64_t StampOf(const Metadata& metadata) {
  uint64_t stamp = 0;
  const absl::optional<absl::string_view> text = metadata.Find("stamp");
  EXPECT_TRUE(text.has_value() && absl::SimpleAtoi(*text, &stamp));
  return stamp;
}

}  // namespace

StressActor::StressActor(Peer& peer, StressOracle& oracle, uint64_t seed)
    : peer_(peer), oracle_(oracle), random_(seed), session_(NewSessionId()) {}

void StressActor::Run() {
  for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) {
    const uint64_t choice = Below(100);
    if (choice < 30) {
      Put();
    } else if (choice < 60) {
      Get();
    } else if (choice < 67) {
      Remove();
    } else if (choice < 72) {
      Move();
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

void StressActor::CheckTheEnd() {
  for (const auto& pending : doomed_waits_) {
    EXPECT_TRUE(pending.IsDone());
    EXPECT_EQ(pending.calls(), 1);
  }
  for (const Kept& kept : kept_) CheckBytes(kept);
}

AcquireRequest StressActor::Request(Access access, size_t id, uint64_t stamp) {
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

absl::Duration StressActor::AnyWait() {
  return Chance(50) ? absl::ZeroDuration() : absl::Milliseconds(20);
}

size_t StressActor::AnyUnsteadyId() { return kSteadyIds + Below(kIds - kSteadyIds); }

absl::StatusOr<Grant> StressActor::Acquire(AcquireRequest request) {
  return blocking::Acquire(peer_, std::move(request));
}

SealRequest StressActor::SealOf(const Grant& grant) {
  SealRequest request;
  request.lease_id = grant.lease.id;
  request.session = session_;
  return request;
}

void StressActor::Write(const Grant& grant, uint64_t stamp) {
  const std::string bytes = BytesOf(stamp);
  const size_t chunk = 1 + Below(kMaxSize / 2);
  for (size_t offset = 0; offset < bytes.size(); offset += chunk) {
    const absl::string_view part = absl::string_view(bytes).substr(offset, chunk);
    EXPECT_THAT(grant.object->blobs()[0]->Write(offset, part), IsOk());
    if (Chance(20)) std::this_thread::yield();
  }
}

StressActor::Kept StressActor::Check(const std::shared_ptr<Object>& object) {
  EXPECT_EQ(object->state(), ObjectState::kSealed);
  Kept kept{StampOf(object->metadata()), object, Mapping()};
  absl::StatusOr<Mapping> mapping = object->blobs()[0]->Map(MapAccess::kReadOnly);
  EXPECT_THAT(mapping, IsOk());
  if (mapping.ok()) kept.mapping = *std::move(mapping);
  CheckBytes(kept);
  return kept;
}

void StressActor::CheckBytes(const Kept& kept) {
  const std::string expected = BytesOf(kept.stamp);
  const Blob& blob = *kept.object->blobs()[0];
  ASSERT_EQ(blob.size(), expected.size());
  std::string bytes(expected.size(), '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(bytes.data(), bytes.size())), IsOkAndHolds(bytes.size()));
  EXPECT_TRUE(bytes == expected) << "read: torn or changed";
  EXPECT_TRUE(kept.mapping.view() == expected) << "mapped: torn or changed";
}

void StressActor::Keep(Kept kept) {
  if (kept_.size() < 8) {
    kept_.push_back(std::move(kept));
    return;
  }
  Kept& old = kept_[Below(kept_.size())];
  CheckBytes(old);
  old = std::move(kept);
}

void StressActor::Put() {
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
  oracle_.creators[id].Leave();  // a moment early: another one may be granted before we hear of it
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

void StressActor::Get() {
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

void StressActor::ExpectThatItStays(size_t id, uint64_t stamp) {
  AcquireRequest pressure;
  pressure.access = Access::kCreate;
  pressure.session = session_;
  pressure.blob_sizes = {kStressCapacity / (1 + Below(10))};
  absl::StatusOr<Grant> grant = Acquire(pressure);
  if (Granted(grant, {ErrorKind::kCapacity})) {
    EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, blocking::Stat(peer_, Id(id)));
  EXPECT_EQ(StampOf(info.metadata), stamp) << "evicted though leased";
  EXPECT_GE(info.leases, 1u);
}

void StressActor::Remove() {
  const size_t id = kSteadyIds + Below(kIds - kSteadyIds);
  AcquireRequest request = Request(Access::kWrite, id);
  request.wait = AnyWait();
  absl::StatusOr<Grant> grant = Acquire(request);
  if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kBusy, ErrorKind::kTimeout})) return;
  // The right is to this object: once its own TTL has taken it, the next one of the id has a
  // writer of its own. Those of one object would meet in the same place.
  Exclusive& writers =
      oracle_.writers[StampOf(grant->object->metadata()) % StressOracle::kWriterPlaces];
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

void StressActor::Move() {
  absl::StatusOr<Grant> grant = Acquire(Request(Access::kWrite, AnyUnsteadyId()));
  if (!Granted(grant, {ErrorKind::kNotFound, ErrorKind::kBusy})) return;
  Kept kept = Check(grant->object);
  const ObjectId to = Id(AnyUnsteadyId());
  const absl::Status moved =
      blocking::Relocate(peer_, {grant->lease.id, to, session_, OperationId::kNone});
  if (moved.ok()) {
    oracle_.moved.fetch_add(1);
  } else {
    // Its own TTL may have taken the object meanwhile.
    EXPECT_TRUE(KindOf(moved) == ErrorKind::kBusy || KindOf(moved) == ErrorKind::kAlreadyExists ||
                KindOf(moved) == ErrorKind::kLeaseExpired)
        << moved;
    EXPECT_THAT(blocking::Release(peer_, Of(*grant)), IsOk());
  }
  CheckBytes(kept);
  Keep(std::move(kept));
}

void StressActor::BeginDoomedSession() {
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
    if (Granted(blocking::Seal(peer_, request), {ErrorKind::kLeaseExpired, ErrorKind::kCapacity})) {
      Check(grant->object);
    }
  }
}

void StressActor::EndDoomedSession() {
  const SessionId session = oracle_.TakeDoomed(random_());
  if (session != SessionId::kNone) peer_.EndSession(session);
}

void StressActor::UseShortTtl() {
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

void StressActor::CancelAWait() {
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

void StressActor::Look() {
  ASSERT_OK_AND_ASSIGN(PeerStats stats, blocking::Stats(peer_));
  EXPECT_LE(stats.bytes, kStressCapacity);
  ASSERT_OK_AND_ASSIGN(ListPage page, blocking::List(peer_, {}));
  for (const ObjectInfo& info : page.objects) {
    if (info.state == ObjectState::kSealed && info.metadata.Find("stamp").has_value()) {
      EXPECT_EQ(info.size(), SizeOf(StampOf(info.metadata)));
    }
  }
}

}  // namespace packice
