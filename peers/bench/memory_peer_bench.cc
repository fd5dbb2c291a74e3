// What the engine itself costs: calls of a MemoryPeer in this process, no message, no SDK.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

AcquireRequest Request(Access access, const std::string& id) {
  AcquireRequest request;
  request.access = access;
  request.object_id = *ObjectId::Parse(id);
  request.session = SessionId{1};
  return request;
}

void Put(Peer& peer, const std::string& id) {
  AcquireRequest request = Request(Access::kCreate, id);
  request.blob_sizes = {1024};
  const LeaseId lease = blocking::Acquire(peer, request)->lease.id;
  blocking::Seal(peer, {lease, {}, {}, {}, SessionId{1}, {}}).status().IgnoreError();
  blocking::Release(peer, {lease, SessionId{1}, {}}).IgnoreError();
}

Peer& SharedPeer() {
  static LocalPeer& peer = []() -> LocalPeer& {
    LocalPeer& made = *MakeMemoryPeer().release();
    for (int i = 0; i < 1000; ++i) Put(made, absl::StrCat("models/", i));
    return made;
  }();
  return peer;
}

// Each thread reads an object of its own.
void BM_AcquireReadAndRelease(benchmark::State& state) {
  Peer& peer = SharedPeer();
  const std::string id = absl::StrCat("models/", state.thread_index());
  for (auto _ : state) {
    AcquireRequest request = Request(Access::kRead, id);
    LeaseId lease;
    peer.Acquire(std::move(request),
                 [&lease](absl::StatusOr<Grant> grant) { lease = grant->lease.id; });
    peer.Release({lease, SessionId{1}, {}}, nullptr);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_AcquireReadAndRelease)->ThreadRange(1, 2)->UseRealTime();

// Any of so many that each has to be opened, and found in memory that is not in the cache.
void BM_AcquireReadAndReleaseOfMany(benchmark::State& state) {
  constexpr uint64_t kObjects = 200'000;
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer();
  for (uint64_t i = 0; i < kObjects; ++i) Put(*peer, absl::StrCat("models/", i));
  uint64_t next = 1;
  for (auto _ : state) {
    next = next * 6364136223846793005u + 1442695040888963407u;
    AcquireRequest request =
        Request(Access::kRead, absl::StrCat("models/", (next >> 33) % kObjects));
    LeaseId lease;
    peer->Acquire(std::move(request),
                  [&lease](absl::StatusOr<Grant> grant) { lease = grant->lease.id; });
    peer->Release({lease, SessionId{1}, {}}, nullptr);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_AcquireReadAndReleaseOfMany);

void BM_CreateSealDiscard(benchmark::State& state) {
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer();
  for (auto _ : state) {
    AcquireRequest request = Request(Access::kCreate, "a");
    request.blob_sizes = {1024};
    const LeaseId lease = blocking::Acquire(*peer, std::move(request))->lease.id;
    blocking::Seal(*peer, {lease, {}, {}, {}, SessionId{1}, {}}).status().IgnoreError();
    blocking::Discard(*peer, {lease, SessionId{1}, {}}).IgnoreError();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CreateSealDiscard);

}  // namespace
}  // namespace packice
