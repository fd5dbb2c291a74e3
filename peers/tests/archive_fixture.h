// What the tests of a LocalPeer with an archive share: a peer on a fake disk that can be ended and
// started again.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "medium_threads.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/local_peer.h"

namespace packice {

class ArchiveTest : public testing::Test {
 protected:
  using PendingGrant = Pending<absl::StatusOr<Grant>>;

  static constexpr uint64_t kCapacity = 1000;  // bytes
  static constexpr SessionId kMine{1};
  static constexpr SessionId kOther{2};

  ArchiveTest() { Start(); }
  ~ArchiveTest() override { peer_.reset(); }

  // Ends the peer, if there is one, and starts another on the same disk.
  void Start() {
    peer_.reset();
    LocalPeerOptions options;
    options.capacity = capacity_;
    options.background_reaper = false;
    options.verify_reads = verify_reads_;
    options.clock = &clock_;
    options.random = &random_;
    options.events = &events_;
    options.log = [this](absl::string_view line) {
      MutexLock lock(lines_mutex_);
      lines_.emplace_back(line);
    };
    peer_ =
        std::make_unique<LocalPeer>(disk_.MakeStore(), std::make_unique<MemoryLeaseTable>(clock_),
                                    /*policy=*/nullptr, options, disk_.MakeArchive(),
                                    std::make_unique<MediumThreads>("fake", 8));
    ASSERT_THAT(peer_->Recover(), IsOk());
  }
  void AwaitIdle() { peer_->AwaitIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    peer_->RunDue();
    AwaitIdle();
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
  static LeaseRequest Of(const Grant& grant) { return {grant.lease.id, kMine, {}}; }
  static RelocateRequest MoveOf(const Grant& grant, absl::string_view to) {
    RelocateRequest request;
    request.lease_id = grant.lease.id;
    request.to = Id(to);
    request.session = kMine;
    return request;
  }

  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    return blocking::Acquire(*peer_, std::move(request));
  }
  absl::StatusOr<Grant> Read(absl::string_view id) { return Acquire(Request(Access::kRead, id)); }
  absl::StatusOr<Grant> Write(absl::string_view id) { return Acquire(Request(Access::kWrite, id)); }
  PendingGrant Start(AcquireRequest request) {
    PendingGrant pending;
    peer_->Acquire(std::move(request), pending.Callback());
    return pending;
  }
  Pending<absl::StatusOr<Sealed>> StartSeal(const Grant& grant) {
    Pending<absl::StatusOr<Sealed>> pending;
    peer_->Seal(SealOf(grant), pending.Callback());
    return pending;
  }
  Pending<absl::Status> StartDiscard(const Grant& grant) {
    Pending<absl::Status> pending;
    peer_->Discard(Of(grant), pending.Callback());
    return pending;
  }
  Pending<absl::Status> StartMove(const Grant& grant, absl::string_view to) {
    Pending<absl::Status> pending;
    peer_->Relocate(MoveOf(grant, to), pending.Callback());
    return pending;
  }
  absl::StatusOr<Sealed> Seal(const Grant& grant) { return blocking::Seal(*peer_, SealOf(grant)); }
  absl::Status Discard(const Grant& grant) { return blocking::Discard(*peer_, Of(grant)); }
  absl::Status Release(const Grant& grant) { return blocking::Release(*peer_, Of(grant)); }
  absl::StatusOr<ObjectInfo> Stat(absl::string_view id) { return blocking::Stat(*peer_, Id(id)); }
  PeerStats Stats() { return *blocking::Stats(*peer_); }
  std::vector<std::string> Ids() {
    const absl::StatusOr<ListPage> page = blocking::List(*peer_, {});
    std::vector<std::string> ids;
    for (const ObjectInfo& info : page->objects) ids.emplace_back(info.object_id.bytes());
    return ids;
  }
  std::vector<std::string> IdsOnDisk() {
    std::vector<std::string> ids;
    for (const auto& [id, row] : disk_.rows()) ids.push_back(id);
    return ids;
  }

  absl::StatusOr<Grant> Written(absl::string_view id, absl::string_view bytes,
                                absl::optional<absl::Duration> object_ttl = absl::nullopt) {
    AcquireRequest request = CreateRequest(id, bytes.size());
    request.object_ttl = object_ttl;
    request.metadata.Set("of", absl::StrCat("\"", id, "\""));
    absl::StatusOr<Grant> grant = Acquire(request);
    if (!grant.ok()) return grant;
    if (absl::Status s = grant->object->blobs()[0]->Write(0, bytes); !s.ok()) return s;
    return grant;
  }
  absl::Status Put(absl::string_view id, absl::string_view bytes,
                   absl::optional<absl::Duration> object_ttl = absl::nullopt) {
    absl::StatusOr<Grant> grant = Written(id, bytes, object_ttl);
    if (!grant.ok()) return grant.status();
    absl::Status sealed = Seal(*grant).status();
    absl::Status released = Release(*grant);
    return sealed.ok() ? released : sealed;
  }
  static std::string BytesOf(const Grant& grant) {
    const Blob& blob = *grant.object->blobs()[0];
    std::string bytes(blob.size(), '\0');
    EXPECT_THAT(blob.Read(0, absl::MakeSpan(bytes.data(), bytes.size())),
                IsOkAndHolds(bytes.size()));
    return bytes;
  }
  absl::StatusOr<std::string> Get(absl::string_view id) {
    absl::StatusOr<Grant> grant = Read(id);
    if (!grant.ok()) return grant.status();
    std::string bytes = BytesOf(*grant);
    if (absl::Status s = Release(*grant); !s.ok()) return s;
    return bytes;
  }

  std::vector<std::string> lines() {
    MutexLock lock(lines_mutex_);
    return lines_;
  }

  absl::optional<uint64_t> capacity_;
  bool verify_reads_ = false;
  FakeDisk disk_;
  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  Mutex lines_mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(lines_mutex_);
  std::unique_ptr<LocalPeer> peer_;
};

}  // namespace packice
