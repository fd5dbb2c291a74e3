// The fixture of the peer conformance suites: a Peer under test and short names for what one asks
// of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {

// A peer, and what it stands on: its clock, its stores, for a remote one its server.
class PeerUnderTest {
 public:
  virtual ~PeerUnderTest() = default;

  virtual Peer& peer() = 0;

  // Moves the fake clock and runs what is due.
  virtual void Advance(absl::Duration by) = 0;

  // How much time passes where a test means any time at all.
  virtual absl::Duration LongTime() const { return absl::Hours(24 * 365); }

  // Moves the fake clock and lets the timers be late, where that can be arranged.
  virtual void AdvanceWithoutTimers(absl::Duration by) { Advance(by); }
};

struct PeerOptions {
  absl::optional<uint64_t> capacity;  // bytes; nothing: more than any test needs
};

struct PeerParam {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<PeerUnderTest>(const PeerOptions&)> make;

  // What some peers cannot do.
  bool ids_are_utf8_only = false;      // JSON carries no other bytes
  bool sees_writable_mappings = true;  // Seal is `busy` while one is open
  bool maps_unsealed = true;           // Blob::Map before Seal
  // An object has one copy, on one medium: its bytes count once, and a rename is done in one step.
  bool one_copy = true;
  // A waiting read waits for an object that is not there, too, because it may come from elsewhere.
  bool waits_for_what_is_elsewhere = false;
  // Bytes that were not looked at before the lease ended can be read after it.
  bool bytes_outlive_the_lease = true;
  // What the medium gives out, in bytes: stats count whole units of it.
  uint64_t footprint_unit = 1;

  static std::string NameOf(const testing::TestParamInfo<PeerParam>& info) {
    return info.param.name;
  }
};

inline void PrintTo(const PeerParam& param, std::ostream* os) { *os << param.name; }

class PeerFixture : public testing::TestWithParam<PeerParam> {
 protected:
  using Waiting = Pending<absl::StatusOr<Grant>>;

  // The session that calls where no other is named, and another one: none that NewSessionId gives.
  static constexpr SessionId kMine{1'000'001};
  static constexpr SessionId kOther{1'000'002};

  void SetUp() override { Start({}); }

  void Start(const PeerOptions& options) {
    under_test_.reset();
    under_test_ = GetParam().make(options);
  }

  Peer& peer() { return under_test_->peer(); }
  void Advance(absl::Duration by) { under_test_->Advance(by); }

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

  static Metadata Meta(
      std::initializer_list<std::pair<absl::string_view, absl::string_view>> entries) {
    Metadata metadata;
    for (const auto& [key, value] : entries) metadata.Set(key, value);
    return metadata;
  }
  static Metadata TooLargeMetadata() {
    return Meta({{"k", absl::StrCat("\"", std::string(Metadata::kMaxBytes, 'x'), "\"")}});
  }

  // --- Acquire.

  static AcquireRequest Request(Access access, absl::string_view id, SessionId session = kMine) {
    AcquireRequest request;
    request.access = access;
    if (!id.empty()) request.object_id = Id(id);
    request.session = session;
    return request;
  }
  static AcquireRequest CreateRequest(absl::string_view id,
                                      absl::optional<uint64_t> size = absl::nullopt) {
    AcquireRequest request = Request(Access::kCreate, id);
    if (size) request.blob_sizes = {*size};
    return request;
  }

  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    return blocking::Acquire(peer(), std::move(request));
  }
  absl::StatusOr<Grant> Create(absl::string_view id,
                               absl::optional<uint64_t> size = absl::nullopt) {
    return Acquire(CreateRequest(id, size));
  }
  absl::StatusOr<Grant> Read(absl::string_view id, SessionId session = kMine) {
    return Acquire(Request(Access::kRead, id, session));
  }
  // A READ lease that is no use of the object.
  absl::StatusOr<Grant> ReadQuietly(absl::string_view id) {
    AcquireRequest request = Request(Access::kRead, id);
    request.quiet = true;
    return Acquire(std::move(request));
  }
  absl::StatusOr<Grant> Write(absl::string_view id, SessionId session = kMine) {
    return Acquire(Request(Access::kWrite, id, session));
  }
  absl::StatusOr<Grant> WithTtl(Access access, absl::string_view id, absl::Duration ttl) {
    AcquireRequest request = Request(access, id);
    request.ttl = ttl;
    return Acquire(std::move(request));
  }

  // An Acquire that may wait; the peer has it when this returns.
  Waiting StartAcquire(AcquireRequest request, absl::Duration wait = absl::Hours(1)) {
    request.wait = wait;
    Waiting waiting;
    const uint64_t before = WaitingCalls();
    peer().Acquire(std::move(request), waiting.Callback());
    // A remote peer may take a later call before this one, so see it arrive.
    EXPECT_TRUE(Eventually([&] { return waiting.IsDone() || WaitingCalls() > before; }));
    return waiting;
  }
  // Not yet, and nothing under way will answer it.
  bool StillWaits(const Waiting& waiting) {
    WaitingCalls();  // a round trip, behind which an answer would have come
    return !waiting.IsDone();
  }
  uint64_t WaitingCalls() { return GetStats().waiting; }

  // --- The other calls.

  absl::StatusOr<Sealed> Seal(const Grant& grant, SessionId session = kMine) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = session;
    return Seal(std::move(request));
  }
  absl::StatusOr<Sealed> Seal(const Grant& grant, Metadata metadata) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    request.metadata = std::move(metadata);
    return Seal(std::move(request));
  }
  absl::StatusOr<Sealed> SealWithSize(const Grant& grant, uint64_t size) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    request.size = size;
    return Seal(std::move(request));
  }
  absl::StatusOr<Sealed> Seal(SealRequest request) {
    return blocking::Seal(peer(), std::move(request));
  }

  // Of bytes that outlive the call.
  static PutRequest PutOf(absl::string_view id, absl::string_view bytes) {
    PutRequest request;
    if (!id.empty()) request.object_id = Id(id);
    request.bytes = bytes;
    request.session = kMine;
    return request;
  }
  absl::StatusOr<Sealed> PutWhole(PutRequest request) {
    return blocking::Put(peer(), std::move(request));
  }

  static LeaseRequest Of(const Grant& grant, SessionId session) {
    LeaseRequest request;
    request.lease_id = grant.lease.id;
    request.session = session;
    return request;
  }
  absl::Status Discard(const Grant& grant, SessionId session = kMine) {
    return blocking::Discard(peer(), Of(grant, session));
  }
  absl::Status Release(const Grant& grant, SessionId session = kMine) {
    return blocking::Release(peer(), Of(grant, session));
  }
  absl::Status Relocate(const Grant& grant, absl::string_view to, SessionId session = kMine) {
    RelocateRequest request;
    request.lease_id = grant.lease.id;
    request.to = Id(to);
    request.session = session;
    return blocking::Relocate(peer(), std::move(request));
  }
  absl::StatusOr<Grant> Lookup(const Grant& grant, SessionId session = kMine) {
    return blocking::Lookup(peer(), Of(grant, session));
  }
  absl::StatusOr<absl::Duration> Renew(const Grant& grant, absl::Duration ttl,
                                       SessionId session = kMine) {
    RenewRequest request;
    request.lease_id = grant.lease.id;
    request.ttl = ttl;
    request.session = session;
    return blocking::Renew(peer(), std::move(request));
  }
  absl::StatusOr<ObjectInfo> Stat(absl::string_view id) { return blocking::Stat(peer(), Id(id)); }
  PeerStats GetStats() {
    absl::StatusOr<PeerStats> stats = blocking::Stats(peer());
    EXPECT_THAT(stats, IsOk());
    return stats.ok() ? *std::move(stats) : PeerStats();
  }

  // What objects of these sizes count for in stats.
  static uint64_t Footprint(std::initializer_list<uint64_t> sizes) {
    const uint64_t unit = GetParam().footprint_unit;
    uint64_t sum = 0;
    for (const uint64_t size : sizes) sum += (size + unit - 1) / unit * unit;
    return sum;
  }

  // Ids of all objects on one page.
  std::vector<std::string> Ids(ListRequest request = {}) {
    absl::StatusOr<ListPage> page = blocking::List(peer(), std::move(request));
    EXPECT_THAT(page, IsOk());
    std::vector<std::string> ids;
    if (!page.ok()) return ids;
    for (const ObjectInfo& info : page->objects) ids.emplace_back(info.object_id.bytes());
    return ids;
  }

  // --- Whole flows.

  // A CREATE lease on a sealed object with these bytes.
  absl::StatusOr<Grant> PutAndHold(absl::string_view id, absl::string_view bytes) {
    absl::StatusOr<Grant> grant = Create(id, bytes.size());
    if (!grant.ok()) return grant;
    if (absl::Status s = grant->object->blobs()[0]->Write(0, bytes); !s.ok()) return s;
    if (absl::Status s = Seal(*grant).status(); !s.ok()) return s;
    return grant;
  }
  // The same, with an end of the object's own life.
  absl::StatusOr<Grant> PutUntil(absl::string_view id, absl::Time expires_at) {
    AcquireRequest create = CreateRequest(id, 1);
    create.object_ttl = absl::Hours(1000);
    absl::StatusOr<Grant> grant = Acquire(std::move(create));
    if (!grant.ok()) return grant;
    SealRequest request;
    request.lease_id = grant->lease.id;
    request.session = kMine;
    request.expires_at = expires_at;
    if (absl::Status s = Seal(std::move(request)).status(); !s.ok()) return s;
    return grant;
  }
  // A sealed object without any lease.
  absl::Status Put(absl::string_view id, absl::string_view bytes) {
    absl::StatusOr<Grant> grant = PutAndHold(id, bytes);
    if (!grant.ok()) return grant.status();
    return Release(*grant);
  }
  // Takes an object away through a WRITE lease.
  absl::Status Remove(absl::string_view id) {
    absl::StatusOr<Grant> grant = Write(id);
    if (!grant.ok()) return grant.status();
    return Discard(*grant);
  }

  static std::string BytesOf(const Grant& grant, size_t blob = 0) {
    const Blob& source = *grant.object->blobs()[blob];
    std::string bytes(source.size(), '\0');
    EXPECT_THAT(source.Read(0, absl::MakeSpan(bytes.data(), bytes.size())),
                IsOkAndHolds(bytes.size()));
    return bytes;
  }
  // Gives an object another id through a WRITE lease.
  absl::Status Rename(absl::string_view from, absl::string_view to) {
    absl::StatusOr<Grant> grant = Write(from);
    if (!grant.ok()) return grant.status();
    absl::Status relocated = Relocate(*grant, to);
    if (!relocated.ok()) Release(*grant).IgnoreError();
    return relocated;
  }

  // By way of a lease of its own.
  absl::StatusOr<std::string> Get(absl::string_view id) {
    absl::StatusOr<Grant> grant = Read(id);
    if (!grant.ok()) return grant.status();
    std::string bytes = BytesOf(*grant);
    if (absl::Status s = Release(*grant); !s.ok()) return s;
    return bytes;
  }

  // For what another process or thread has to notice first: no test waits for time to pass, only
  // for others to have had their turn.
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<PeerUnderTest> under_test_;
};

// The rules of leases and of inspection.
class PeerConformance : public PeerFixture {
 protected:
  // Four ways in which an unsealed object goes away. kDoomed creates it, with a TTL for EndByTtl
  // alone, because a lease with a TTL outlives its session.
  static constexpr SessionId kDoomed{3};
  using Ending = void (PeerConformance::*)(const Grant& creator);

  Grant CreateToEnd(absl::string_view id, Ending ending) {
    AcquireRequest request = Request(Access::kCreate, id, kDoomed);
    if (ending == &PeerConformance::EndByTtl) request.ttl = absl::Seconds(10);
    absl::StatusOr<Grant> grant = Acquire(std::move(request));
    EXPECT_THAT(grant, IsOk());
    return grant.ok() ? *std::move(grant) : Grant();
  }
  void EndByRelease(const Grant& creator) { EXPECT_THAT(Release(creator, kDoomed), IsOk()); }
  void EndByDiscard(const Grant& creator) { EXPECT_THAT(Discard(creator, kDoomed), IsOk()); }
  void EndByTtl(const Grant&) { Advance(absl::Seconds(11)); }
  void EndBySession(const Grant&) { peer().EndSession(kDoomed); }

  static std::vector<std::pair<std::string, Ending>> Endings() {
    return {{"release", &PeerConformance::EndByRelease},
            {"discard", &PeerConformance::EndByDiscard},
            {"ttl", &PeerConformance::EndByTtl},
            {"end of session", &PeerConformance::EndBySession}};
  }
};

// The rules for an object that gets another id, for peers that can do that.
class PeerRelocateConformance : public PeerFixture {};

// The rules for looking a lease up, for peers that can do that.
class PeerLookupConformance : public PeerFixture {};

// The rules of eviction, for peers that have a capacity of their own and evict in LRU order.
class PeerEvictionConformance : public PeerFixture {
 protected:
  // Room for four objects of kUnit bytes: whole pages, so that a medium which rounds up has four as
  // well.
  static constexpr uint64_t kUnit = 64 * 1024;
  static constexpr uint64_t kCapacity = 4 * kUnit;

  void SetUp() override {
    PeerOptions options;
    options.capacity = kCapacity;
    Start(options);
  }

  static std::string Unit(char c) { return std::string(kUnit, c); }

  // Sealed, unleased, used in the order a, b, c, d.
  void FillWithUnleased() {
    for (char c : {'a', 'b', 'c', 'd'}) ASSERT_THAT(Put(std::string(1, c), Unit(c)), IsOk());
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PeerConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PeerEvictionConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PeerRelocateConformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PeerLookupConformance);

}  // namespace packice
