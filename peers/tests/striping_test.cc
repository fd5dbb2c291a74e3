// No lock is held over a medium's system calls: an object whose blob is slow to be made or sealed
// holds up nobody but those who want that object. And what may happen to it meanwhile.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/latch.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/local_peer.h"

namespace packice {
namespace {

// Blobs of this size are the slow ones.
constexpr uint64_t kSlow = 77;

// Once armed, stops the next one to pass until it is opened.
class Gate {
 public:
  void Arm() { armed_.store(true); }
  void Pass() {
    if (!armed_.exchange(false)) return;
    reached_.Set();
    open_.Wait();
  }
  void AwaitSomebody() { reached_.Wait(); }
  void Open() { open_.Set(); }

 private:
  std::atomic<bool> armed_{false};
  Latch reached_;
  Latch open_;
};

class SlowToSealBlob final : public Blob {
 public:
  SlowToSealBlob(std::unique_ptr<Blob> blob, Gate& gate) : blob_(std::move(blob)), gate_(gate) {}

  uint64_t size() const override { return blob_->size(); }
  bool sealed() const override { return blob_->sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return blob_->Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return blob_->Write(offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> size) override {
    gate_.Pass();
    return blob_->Seal(size);
  }
  absl::StatusOr<Mapping> Map(MapAccess access) const override { return blob_->Map(access); }
  BlobDescriptor Describe() const override { return blob_->Describe(); }

 private:
  const std::unique_ptr<Blob> blob_;
  Gate& gate_;
};

// What a test sees of a medium that its peer owns.
struct Medium {
  HeapBlobStore heap;
  Gate create;
  Gate seal;
  std::atomic<int> failures{0};  // so many Creates find no descriptor
};

class SlowBlobStore final : public BlobStore {
 public:
  explicit SlowBlobStore(Medium& medium) : medium_(medium) {}

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    if (medium_.failures.load() > 0) {
      medium_.failures.fetch_sub(1);
      return MakeError(ErrorKind::kCapacity, "no descriptors left");
    }
    const bool slow = size == absl::make_optional(kSlow);
    if (slow) medium_.create.Pass();
    absl::StatusOr<std::unique_ptr<Blob>> blob = medium_.heap.Create(size);
    if (!blob.ok() || !slow) return blob;
    return std::make_unique<SlowToSealBlob>(*std::move(blob), medium_.seal);
  }

 private:
  Medium& medium_;
};

constexpr SessionId kMine{1};
constexpr SessionId kOther{2};

class StripingTest : public testing::Test {
 protected:
  StripingTest() {
    LocalPeerOptions options;
    options.capacity = 1000;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    peer_ = std::make_unique<LocalPeer>(std::make_unique<SlowBlobStore>(medium_),
                                        std::make_unique<MemoryLeaseTable>(clock_),
                                        /*policy=*/nullptr, options);
  }

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  static AcquireRequest Request(Access access, absl::string_view id, SessionId session = kMine) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.session = session;
    return request;
  }
  static AcquireRequest CreateRequest(absl::string_view id, uint64_t size) {
    AcquireRequest request = Request(Access::kCreate, id);
    request.blob_sizes = {size};
    return request;
  }
  static SealRequest SealOf(const Grant& grant) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    return request;
  }
  static LeaseRequest Of(const Grant& grant) {
    LeaseRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    return request;
  }

  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    return blocking::Acquire(*peer_, std::move(request));
  }
  Pending<absl::StatusOr<Grant>> StartAcquire(AcquireRequest request) {
    request.wait = absl::Hours(1);
    Pending<absl::StatusOr<Grant>> pending;
    peer_->Acquire(std::move(request), pending.Callback());
    return pending;
  }
  absl::Status Put(absl::string_view id, uint64_t size) {
    absl::StatusOr<Grant> grant = Acquire(CreateRequest(id, size));
    if (!grant.ok()) return grant.status();
    if (absl::Status s = blocking::Seal(*peer_, SealOf(*grant)).status(); !s.ok()) return s;
    return blocking::Release(*peer_, Of(*grant));
  }
  PeerStats Stats() { return *blocking::Stats(*peer_); }

  // Every call, on objects of every stripe. Hangs if anything is locked.
  void ExpectThatAllOthersGoThrough() {
    for (int i = 0; i < 1000; ++i) {
      const std::string id = absl::StrCat("other-", i);
      AcquireRequest create = CreateRequest(id, 1);
      create.session = kOther;
      ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(create));
      EXPECT_THAT(Acquire(Request(Access::kRead, id)), HasKind(ErrorKind::kNotSealed));
      SealRequest seal = SealOf(creator);
      seal.session = kOther;
      ASSERT_THAT(blocking::Seal(*peer_, seal), IsOk());
      ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Request(Access::kRead, id)));
      EXPECT_THAT(blocking::Stat(*peer_, Id(id)), IsOk());
      EXPECT_THAT(blocking::Release(*peer_, Of(reader)), IsOk());
      ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(Request(Access::kWrite, id)));
      EXPECT_THAT(blocking::Discard(*peer_, Of(writer)), IsOk());
      EXPECT_THAT(blocking::Release(*peer_, {creator.lease.id, kOther, {}}), IsOk());
    }
    EXPECT_THAT(blocking::List(*peer_, {}), IsOk());
    peer_->RunDue();
    peer_->EndSession(kOther);
    EXPECT_EQ(Stats().read_leases, 0u);
  }

  void ExpectNothingLeft() {
    const PeerStats stats = Stats();
    EXPECT_EQ(stats.objects, 0u);
    EXPECT_EQ(stats.creating, 0u);
    EXPECT_EQ(stats.bytes, 0u);
    EXPECT_EQ(stats.create_leases, 0u);
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_EQ(medium_.heap.live_blobs(), 0u);
  }

  // Creates "slow" and stops inside the medium.
  std::thread CreateSlowly(AcquireRequest request, Pending<absl::StatusOr<Grant>>& pending) {
    medium_.create.Arm();
    std::thread thread([this, request, &pending] { peer_->Acquire(request, pending.Callback()); });
    medium_.create.AwaitSomebody();
    return thread;
  }
  // Seals it and stops inside the medium.
  std::thread SealSlowly(const Grant& creator, Pending<absl::StatusOr<Sealed>>& pending) {
    medium_.seal.Arm();
    std::thread thread(
        [this, request = SealOf(creator), &pending] { peer_->Seal(request, pending.Callback()); });
    medium_.seal.AwaitSomebody();
    return thread;
  }

  FakeClock clock_;
  FakeRandom random_;
  Medium medium_;
  std::unique_ptr<LocalPeer> peer_;
};

// --- While a blob is being made.

TEST_F(StripingTest, ACreateThatTakesLongHoldsUpNobodyElse) {
  Pending<absl::StatusOr<Grant>> creator;
  std::thread slow = CreateSlowly(CreateRequest("slow", kSlow), creator);

  ExpectThatAllOthersGoThrough();
  EXPECT_THAT(Acquire(Request(Access::kRead, "slow")), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(Acquire(Request(Access::kWrite, "slow")), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Acquire(CreateRequest("slow", 1)), HasKind(ErrorKind::kBusy));
  EXPECT_EQ(Stats().bytes, kSlow) << "its room is taken already";
  auto reader = StartAcquire(Request(Access::kRead, "slow"));

  medium_.create.Open();
  slow.join();
  ASSERT_OK_AND_ASSIGN(Grant grant, creator.Wait());
  EXPECT_FALSE(reader.IsDone());
  ASSERT_THAT(blocking::Seal(*peer_, SealOf(grant)), IsOk());
  EXPECT_THAT(reader.Wait(), IsOk());
}

TEST_F(StripingTest, ACreateWhoseSessionEndsMeanwhileLeavesNothing) {
  Pending<absl::StatusOr<Grant>> creator;
  std::thread slow = CreateSlowly(CreateRequest("slow", kSlow), creator);
  peer_->EndSession(kMine);
  medium_.create.Open();
  slow.join();
  EXPECT_THAT(creator.Wait(), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(blocking::Stat(*peer_, Id("slow")), HasKind(ErrorKind::kNotFound));
  ExpectNothingLeft();
}

TEST_F(StripingTest, ACreateWhoseTtlIsOverMeanwhileLeavesNothing) {
  AcquireRequest request = CreateRequest("slow", kSlow);
  request.ttl = absl::Seconds(10);
  Pending<absl::StatusOr<Grant>> creator;
  std::thread slow = CreateSlowly(request, creator);
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  medium_.create.Open();
  slow.join();
  EXPECT_THAT(creator.Wait(), HasKind(ErrorKind::kUnavailable));
  ExpectNothingLeft();
}

TEST_F(StripingTest, WhoWaitedForACreateThatCameToNothingIsNext) {
  Pending<absl::StatusOr<Grant>> creator;
  std::thread slow = CreateSlowly(CreateRequest("slow", kSlow), creator);
  AcquireRequest request = CreateRequest("slow", 5);
  request.session = kOther;
  auto next = StartAcquire(request);
  peer_->EndSession(kMine);
  EXPECT_FALSE(next.IsDone()) << "the first one's blob is still being made";
  medium_.create.Open();
  slow.join();
  ASSERT_OK_AND_ASSIGN(Grant grant, next.Wait());
  EXPECT_EQ(grant.object->size(), 5u);
}

// --- While a blob is being sealed.

TEST_F(StripingTest, ASealThatTakesLongHoldsUpNobodyElse) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("slow", kSlow)));
  Pending<absl::StatusOr<Sealed>> sealed;
  std::thread slow = SealSlowly(creator, sealed);

  ExpectThatAllOthersGoThrough();
  EXPECT_THAT(Acquire(Request(Access::kRead, "slow")), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(Acquire(CreateRequest("slow", 1)), HasKind(ErrorKind::kBusy));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, blocking::Stat(*peer_, Id("slow")));
  EXPECT_EQ(info.state, ObjectState::kCreating);
  auto reader = StartAcquire(Request(Access::kRead, "slow"));

  medium_.seal.Open();
  slow.join();
  EXPECT_THAT(sealed.Wait(), IsOk());
  EXPECT_THAT(reader.Wait(), IsOk());
}

TEST_F(StripingTest, ASecondSealAndADiscardAreBusyWhileTheFirstSealRuns) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("slow", kSlow)));
  Pending<absl::StatusOr<Sealed>> sealed;
  std::thread slow = SealSlowly(creator, sealed);
  EXPECT_THAT(blocking::Seal(*peer_, SealOf(creator)), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(blocking::Discard(*peer_, Of(creator)), HasKind(ErrorKind::kBusy));
  medium_.seal.Open();
  slow.join();
  EXPECT_THAT(sealed.Wait(), IsOk());
  EXPECT_THAT(blocking::Discard(*peer_, Of(creator)), IsOk()) << "neither took effect";
}

// Three ways in which the creator's lease ends while its seal runs.
using Ending = std::function<void(LocalPeer&, FakeClock&, const Grant&)>;
struct NamedEnding {
  std::string name;
  Ending end;
};
class SealEndingTest : public StripingTest, public testing::WithParamInterface<NamedEnding> {};

TEST_P(SealEndingTest, ALeaseThatEndsDuringItsSealTakesTheObjectAlong) {
  AcquireRequest request = CreateRequest("slow", kSlow);
  if (GetParam().name == "Ttl") request.ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  Pending<absl::StatusOr<Sealed>> sealed;
  std::thread slow = SealSlowly(creator, sealed);
  auto reader = StartAcquire(Request(Access::kRead, "slow", kOther));
  AcquireRequest again = CreateRequest("slow", 5);
  again.session = kOther;
  auto next = StartAcquire(again);

  GetParam().end(*peer_, clock_, creator);
  EXPECT_EQ(Stats().create_leases, 0u);
  EXPECT_FALSE(next.IsDone()) << "the blobs are still being sealed";

  medium_.seal.Open();
  slow.join();
  EXPECT_THAT(sealed.Wait(), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_OK_AND_ASSIGN(Grant grant, next.Wait());
  EXPECT_EQ(grant.object->size(), 5u);
  EXPECT_FALSE(reader.IsDone()) << "nobody reads what was sealed in vain";
  EXPECT_EQ(Stats().bytes, 5u);
  peer_->EndSession(kOther);
  creator = grant = Grant();
  next = reader = {};
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(
    All, SealEndingTest,
    testing::Values(NamedEnding{"Ttl",
                                [](LocalPeer& peer, FakeClock& clock, const Grant&) {
                                  clock.Advance(absl::Seconds(11));
                                  peer.RunDue();
                                }},
                    NamedEnding{"Session", [](LocalPeer& peer, FakeClock&,
                                              const Grant&) { peer.EndSession(kMine); }},
                    NamedEnding{"Release",
                                [](LocalPeer& peer, FakeClock&, const Grant& creator) {
                                  LeaseRequest request;
                                  request.lease_id = creator.lease.id;
                                  request.session = kMine;
                                  EXPECT_THAT(blocking::Release(peer, request), IsOk());
                                }}),
    [](const testing::TestParamInfo<NamedEnding>& tested) { return tested.param.name; });

// --- When the medium runs out before the capacity does.

TEST_F(StripingTest, WhenDescriptorsRunOutUnleasedObjectsGo) {
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_THAT(Put(id, 1), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Request(Access::kRead, "a")));
  medium_.failures = 2;
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("e", 1)));
  EXPECT_EQ(Stats().evictions, 2u);
  EXPECT_THAT(blocking::Stat(*peer_, Id("a")), IsOk()) << "it is leased";
  EXPECT_THAT(blocking::Stat(*peer_, Id("b")), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(blocking::Stat(*peer_, Id("c")), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(blocking::Stat(*peer_, Id("d")), IsOk());
}

TEST_F(StripingTest, WhenDescriptorsRunOutAndAllIsLeasedThereIsNoCapacity) {
  ASSERT_THAT(Put("a", 1), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Request(Access::kRead, "a")));
  medium_.failures = 1;
  EXPECT_THAT(Acquire(CreateRequest("b", 100)), HasKind(ErrorKind::kCapacity));
  EXPECT_EQ(medium_.failures, 0);
  EXPECT_THAT(blocking::Stat(*peer_, Id("b")), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(Stats().bytes, 1u);
  EXPECT_EQ(Stats().create_leases, 0u);
  EXPECT_EQ(medium_.heap.live_blobs(), 1u);
}

TEST_F(StripingTest, WhenTheSecondBlobFailsTheFirstOneGoesToo) {
  AcquireRequest request = CreateRequest("slow", kSlow);
  request.blob_sizes = {kSlow, 1};
  Pending<absl::StatusOr<Grant>> creator;
  std::thread slow = CreateSlowly(request, creator);
  medium_.failures = 1;
  medium_.create.Open();
  slow.join();
  EXPECT_THAT(creator.Wait(), HasKind(ErrorKind::kCapacity));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace packice
