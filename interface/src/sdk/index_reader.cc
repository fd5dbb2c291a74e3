#include "sdk/index_reader.h"

#include <utility>
#include <vector>

#include "packice/core/error.h"

namespace packice::sdk {
namespace {

// Until a node is asked again for its index: one that has none, one that failed, and one that
// replaces it faster than it can be fetched.
constexpr absl::Duration kRefused = absl::Minutes(1);
constexpr absl::Duration kFailed = absl::Milliseconds(100);
constexpr absl::Duration kReplaced = absl::Milliseconds(1);

// A look at all segments costs less than a lease, and what was given up is no harm for a while.
constexpr uint32_t kLookEvery = 64;

// A missing index, a missing segment, and the read itself; once more for a race lost.
constexpr int kTries = 4;

// An older node does not know the operation.
bool IsRefusal(const absl::Status& status) {
  const ErrorKind kind = KindOf(status);
  return kind == ErrorKind::kUnsupported || kind == ErrorKind::kInvalidArgument ||
         kind == ErrorKind::kCorrupt;
}

}  // namespace

IndexReader::IndexReader(UdsPeer& peer, const Clock& clock) : peer_(peer), clock_(clock) {}

IndexReader::Answer IndexReader::Read(absl::string_view id, absl::Span<char> out) {
  using Found = ReadIndexView::Outcome;
  State& state = state_.Get();
  for (int tries = kTries; tries > 0; --tries) {
    absl::optional<uint32_t> unknown;
    ReadIndexView::Found found;
    found.outcome = Found::kStale;
    if (const SnapshotKeeper::Use use = state.keeper.Enter(); use.get() != nullptr) {
      found = use->Read(id, out, unknown);
    }
    if (found.outcome == Found::kFound) return {Outcome::kRead, found.size};
    if (found.outcome == Found::kTooSmall) return {Outcome::kTooSmall, found.size};
    const bool better = found.outcome == Found::kStale ? OpenIndex(state)
                        : unknown.has_value()          ? LearnSegments(state, *unknown)
                                                       : false;
    if (!better) break;
  }
  return {};
}

bool IndexReader::IsAt(absl::string_view id, const ObjectPlace& place, uint64_t bytes) {
  State& state = state_.Get();
  for (int tries = kTries; tries > 0; --tries) {
    auto outcome = ReadIndexView::Outcome::kStale;
    if (const SnapshotKeeper::Use use = state.keeper.Enter(); use.get() != nullptr) {
      outcome = use->IsAt(id, place, bytes);
    }
    if (outcome == ReadIndexView::Outcome::kFound) return true;
    if (outcome != ReadIndexView::Outcome::kStale || !OpenIndex(state)) break;
  }
  return false;
}

bool IndexReader::OpenIndex(State& state) {
  {
    MutexLock lock(state.mutex);
    // Who comes meanwhile asks for a lease rather than wait.
    if (state.opening || clock_.Now() < state.not_before) return false;
    state.opening = true;
  }
  auto next = IndexSnapshot::Open(peer_, clock_);
  const absl::Duration failed = IsRefusal(next.status()) ? kRefused : kFailed;
  MutexLock lock(state.mutex);
  state.opening = false;
  const bool opened = state.keeper.Replace(next.ok() ? *std::move(next) : nullptr) && next.ok();
  state.not_before = clock_.Now() + (opened ? kReplaced : failed);
  return opened;
}

bool IndexReader::LearnSegments(State& state, uint32_t wanted) {
  if (const SnapshotKeeper::Use use = state.keeper.Enter(); use.get() == nullptr) {
    return false;
  } else if (use->Has(wanted)) {
    return true;
  }
  const std::vector<MappedSegment> segments = peer_.Segments();
  bool nameless = false;
  {
    MutexLock lock(state.mutex);
    std::unique_ptr<IndexSnapshot> next;
    if (const SnapshotKeeper::Use use = state.keeper.Enter(); use.get() != nullptr) {
      nameless = !use->knows_segments();
      next = use->With(segments);
    }
    if (next != nullptr && next->Has(wanted)) return state.keeper.Replace(std::move(next));
  }
  return nameless && OpenIndex(state);
}

void IndexReader::Granted() {
  State& state = state_.Get();
  if (state.grants.fetch_add(1, std::memory_order_relaxed) % kLookEvery == kLookEvery - 1) {
    DropSegments(state);
  }
}

void IndexReader::DropSegments(State& state) {
  if (state.keeper.Enter().get() == nullptr) return;
  const std::vector<MappedSegment> segments = peer_.Segments();
  MutexLock lock(state.mutex);
  std::unique_ptr<IndexSnapshot> next;
  if (const SnapshotKeeper::Use use = state.keeper.Enter();
      use.get() != nullptr && use->HasOtherThan(segments)) {
    next = use->With(segments);
  }
  if (next != nullptr) (void)state.keeper.Replace(std::move(next));
}

}  // namespace packice::sdk
