// Two tiers whose moves are made when a test says so, with a cold tier that fails as it is told to.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/faulty_peer.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/peers/tiered_peer.h"
#include "step_executor.h"
#include "temp_dir.h"

namespace packice {

inline constexpr SessionId kMine{1'000'001};  // none that NewSessionId gives
inline constexpr uint64_t kHot = 1000;        // bytes

// What a call has answered by now.
template <typename T>
T Answer(const Pending<T>& call) {
  if (call.IsDone()) return call.Wait();
  return MakeError(ErrorKind::kTimeout, "not answered yet");
}

class TieredPeerFixture : public testing::Test {
 protected:
  TieredPeerFixture() {
    LocalPeerOptions options;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    cold_ = MakeMemoryPeer(options);
    options_.discard_log = directory_.path() + "/discards";
  }

  // A node: a new hot tier, and the cold one, which outlives it.
  void Start(FaultyPeer::Blobs blobs = FaultyPeer::Blobs::kLocal) {
    tiered_.reset();
    LocalPeerOptions hot;
    hot.capacity = kHot;
    hot.background_reaper = false;
    hot.clock = &clock_;
    hot.random = &random_;
    std::unique_ptr<LocalPeer> memory = MakeMemoryPeer(hot);
    hot_ = memory.get();
    auto faulty = std::make_unique<FaultyPeer>(*cold_, blobs);
    faults_ = faulty.get();
    auto executor = std::make_unique<StepExecutor>();
    moves_ = executor.get();
    TieredPeerOptions options;
    options.write_policy = options_.write_policy;
    options.discard_log = options_.discard_log;
    options.promote_hits = options_.promote_hits;
    options.moves = options_.moves;
    options.executor = std::move(executor);
    options.background = false;
    options.clock = &clock_;
    options.random = &random_;
    options.events = &events_;
    auto opened = TieredPeer::Open(std::move(memory), std::move(faulty), std::move(options));
    ASSERT_THAT(opened, IsOk());
    tiered_ = *std::move(opened);
  }

  static ObjectId Id(absl::string_view id) { return *ObjectId::Parse(id); }
  static AcquireRequest Request(Access access, absl::string_view id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.session = kMine;
    return request;
  }

  absl::StatusOr<Grant> Create(absl::string_view id, uint64_t size) {
    AcquireRequest request = Request(Access::kCreate, id);
    request.blob_sizes = {size};
    return blocking::Acquire(*tiered_, std::move(request));
  }
  // Fills the object and begins to seal it.
  Pending<absl::StatusOr<Sealed>> Seal(const Grant& grant, char fill) {
    Object& object = *grant.object;
    EXPECT_THAT(object.blobs()[0]->Write(0, std::string(object.size(), fill)), IsOk());
    Pending<absl::StatusOr<Sealed>> sealed;
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.session = kMine;
    tiered_->Seal(request, sealed.Callback());
    return sealed;
  }
  void Release(const Grant& grant) {
    EXPECT_THAT(blocking::Release(*tiered_, {grant.lease.id, kMine, OperationId::kNone}), IsOk());
  }
  void Put(absl::string_view id, uint64_t size, char fill = 'x') {
    const absl::StatusOr<Grant> grant = Create(id, size);
    ASSERT_THAT(grant, IsOk());
    Pending<absl::StatusOr<Sealed>> sealed = Seal(*grant, fill);
    moves_->RunAll();
    EXPECT_THAT(Answer(sealed), IsOk());
    Release(*grant);
  }

  absl::StatusOr<Grant> Read(absl::string_view id) {
    return blocking::Acquire(*tiered_, Request(Access::kRead, id));
  }
  // The first byte, and the lease is over again.
  absl::StatusOr<char> Get(absl::string_view id) {
    const absl::StatusOr<Grant> grant = Read(id);
    if (!grant.ok()) return grant.status();
    char byte = 0;
    const absl::StatusOr<size_t> got = grant->object->blobs()[0]->Read(0, absl::MakeSpan(&byte, 1));
    Release(*grant);
    if (!got.ok()) return got.status();
    return byte;
  }
  absl::Status Remove(absl::string_view id) {
    const absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, Request(Access::kWrite, id));
    if (!grant.ok()) return grant.status();
    Pending<absl::Status> discarded;
    tiered_->Discard({grant->lease.id, kMine, OperationId::kNone}, discarded.Callback());
    moves_->RunAll();
    return Answer(discarded);
  }
  std::vector<std::string> TiersOf(absl::string_view id) {
    const absl::StatusOr<ObjectInfo> info = blocking::Stat(*tiered_, Id(id));
    EXPECT_THAT(info, IsOk());
    return info.ok() ? info->tiers : std::vector<std::string>();
  }
  bool IsInCold(absl::string_view id) { return blocking::Stat(*cold_, Id(id)).ok(); }
  bool IsInHot(absl::string_view id) { return blocking::Stat(*hot_, Id(id)).ok(); }
  TierStats StatsOf(size_t tier) {
    const absl::StatusOr<PeerStats> stats = blocking::Stats(*tiered_);
    EXPECT_THAT(stats, IsOk());
    return stats->tiers[tier];
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    tiered_->RunDue();
    moves_->RunAll();
  }
  // Cold then has all there is.
  void Flush() {
    Pass(absl::Seconds(30));
    EXPECT_THAT(tiered_->Flush(absl::ZeroDuration()), IsOk());
  }
  // Fills hot with clean objects, so that all others that are clean are evicted.
  void EvictAllThatIsClean() {
    for (int i = 0; i < 12; ++i) {
      Put("filler" + std::to_string(fillers_++), kHot / 10);
      Flush();
    }
  }

  TempDir directory_;
  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  TieredPeerOptions options_;
  std::unique_ptr<LocalPeer> cold_;
  LocalPeer* hot_ = nullptr;
  FaultyPeer* faults_ = nullptr;
  StepExecutor* moves_ = nullptr;
  std::unique_ptr<TieredPeer> tiered_;
  int fillers_ = 0;
};

}  // namespace packice
