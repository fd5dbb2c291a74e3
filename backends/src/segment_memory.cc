#include "segment_memory.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "packice/backends/read_index.h"
#include "packice/backends/temp_file_blob.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// A new segment is a sixteenth of what there is, so that ten gigabytes are some sixty of them.
constexpr uint64_t kSmallest = uint64_t{16} << 20;
constexpr uint64_t kLargest = uint64_t{1} << 30;

// Of segments for one blob each: they are of whole pages of this size, so that blobs of nearly one
// size can take turns.
constexpr uint64_t kAloneUnit = 64 << 10;
// So much may lie idle, and an eighth of what is in use.
constexpr uint64_t kIdleBytes = uint64_t{256} << 20;

// Of what Park answers: the segment's number above, units of the offset below.
constexpr unsigned kOffsetBits = 32;
constexpr uint64_t kOffsetUnit = 64;

// Ids of one node are unlike those of any other, of whose memory it may be told, too: 27 random
// bits and a count. So they have at most 18 digits, which transports read quickly.
uint64_t FirstId(RandomSource& random) {
  uint32_t node = 0;
  random.Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(&node), sizeof(node)));
  return (uint64_t{node} >> 5) << 32 | 1;
}

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

SegmentRange::~SegmentRange() {
  if (memory != nullptr) memory->Free(*this);
}

SegmentMemory::SegmentMemory(const MemoryBlobStoreOptions& options, bool in_temp_files)
    : temp_directory_(in_temp_files
                          ? options.temp_directory.value_or(TempFileBlob::DefaultDirectory())
                          : std::string()),
      shared_limit_(std::min<uint64_t>(options.segment_threshold, SegmentAllocator::kMaxSize)),
      pages_(options.pages),
      idle_release_(options.idle_release),
      clock_(*options.clock),
      next_id_(FirstId(*options.random)) {}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::Allocate(uint64_t size) {
  absl::StatusOr<std::shared_ptr<SegmentRange>> range;
  if (size > shared_limit_) {
    range = AllocateAlone(size);
  } else {
    MutexLock lock(mutex_);
    range = AllocateShared(size);
  }
  // Readers without a lease may still be at what was there before.
  ReadIndex::BeforeRefill();
  return range;
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::AllocateShared(uint64_t size) {
  absl::optional<SegmentAllocator::Place> place = allocator_.Allocate(size);
  if (!place.has_value()) {
    if (absl::Status status = AddSegment(); !status.ok()) return status;
    place = allocator_.Allocate(size);
  }
  Segment& segment = *shared_[place->segment].segment;
  const uint64_t end = place->offset + SegmentAllocator::RoomOf(size);
  if (absl::Status status = segment.Reserve(end); !status.ok()) {
    allocator_.Free(*place, size);
    return status;
  }
  ++blobs_;
  bytes_ += size;
  return RangeAt(*place, size);
}

std::shared_ptr<SegmentRange> SegmentMemory::RangeAt(SegmentAllocator::Place place, uint64_t size) {
  const Segment& segment = [&]() -> const Segment& {
    MutexLock lock(places_mutex_);
    return *places_[place.segment];
  }();
  auto range = std::make_shared<SegmentRange>();
  range->memory = shared_from_this();
  range->segment = segment.shared();
  range->bytes = absl::MakeSpan(segment.bytes() + place.offset, size);
  range->offset = place.offset;
  range->place = place.segment;
  return range;
}

absl::optional<uint64_t> SegmentMemory::Park(SegmentRange& range) {
  if (!range.place.has_value()) return absl::nullopt;
  range.memory = nullptr;
  return uint64_t{*range.place} << kOffsetBits | range.offset / kOffsetUnit;
}

std::shared_ptr<SegmentRange> SegmentMemory::Unpark(uint64_t parked, uint64_t size) {
  const uint64_t offset = (parked & ((uint64_t{1} << kOffsetBits) - 1)) * kOffsetUnit;
  return RangeAt({static_cast<uint32_t>(parked >> kOffsetBits), offset}, size);
}

absl::Status SegmentMemory::AddSegment() {
  const uint64_t total = allocator_.figures().in_segments;
  const uint64_t bytes = std::clamp(RoundUp(total / 16, kSmallest), kSmallest, kLargest);
  auto segment = Segment::Create(next_id_++, bytes, temp_directory_, pages_);
  if (!segment.ok()) return segment.status();
  const auto free = absl::c_find_if(shared_, [](const Shared& s) { return s.segment == nullptr; });
  const auto place = static_cast<uint32_t>(free - shared_.begin());
  if (free == shared_.end()) shared_.emplace_back();
  shared_[place] = Shared{*std::move(segment), clock_.Now()};
  {
    MutexLock lock(places_mutex_);
    if (place >= places_.size()) places_.resize(size_t{place} + 1);
    places_[place] = shared_[place].segment.get();
  }
  allocator_.AddSegment(place, bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::AllocateAlone(uint64_t size) {
  std::unique_ptr<Segment> segment;
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    segment = TakeIdle(size);
    if (segment == nullptr) id = next_id_++;
  }
  if (segment == nullptr) {
    auto made = Segment::Create(id, RoundUp(size, kAloneUnit), temp_directory_, pages_);
    if (!made.ok()) return made.status();
    segment = *std::move(made);
  }
  // Blocks for long where all is to be made: without the lock.
  if (absl::Status status = segment->Reserve(size); !status.ok()) return status;
  auto range = std::make_shared<SegmentRange>();
  range->segment = segment->shared();
  range->bytes = absl::MakeSpan(segment->bytes(), size);
  MutexLock lock(mutex_);
  ++blobs_;
  bytes_ += size;
  alone_bytes_ += segment->size();
  const uint64_t key = segment->shared()->id;
  alone_[key] = std::move(segment);
  range->memory = shared_from_this();
  return range;
}

std::unique_ptr<Segment> SegmentMemory::TakeIdle(uint64_t size) {
  const uint64_t most = size + size / 8 + kAloneUnit;
  auto best = idle_.end();
  for (auto it = idle_.begin(); it != idle_.end(); ++it) {
    const uint64_t bytes = it->segment->size();
    if (bytes < size || bytes > most) continue;
    if (best == idle_.end() || bytes < best->segment->size()) best = it;
  }
  if (best == idle_.end()) return nullptr;
  std::unique_ptr<Segment> taken = std::move(best->segment);
  idle_.erase(best);
  idle_bytes_ -= taken->size();
  return taken;
}

void SegmentMemory::Free(SegmentRange& range) {
  std::vector<std::unique_ptr<Segment>> dropped;  // unmapped without the lock
  const Instant now = clock_.Now();
  MutexLock lock(mutex_);
  --blobs_;
  bytes_ -= range.bytes.size();
  if (range.place.has_value()) {
    allocator_.Free({*range.place, range.offset}, range.bytes.size());
    if (allocator_.usage(*range.place).objects > 0) return;
    shared_[*range.place].empty_since = now;
    if (idle_release_ <= absl::ZeroDuration()) {
      dropped.push_back(RemoveShared(*range.place));
    }
    return;
  }
  const auto found = alone_.find(range.segment->id);
  const uint64_t size = found->second->size();
  alone_bytes_ -= size;
  idle_bytes_ += size;
  idle_.push_back(Idle{std::move(found->second), now});
  alone_.erase(found);
  const bool keep = idle_release_ > absl::ZeroDuration();
  while (idle_bytes_ > (keep ? kIdleBytes + alone_bytes_ / 8 : 0)) {
    idle_bytes_ -= idle_.front().segment->size();
    dropped.push_back(std::move(idle_.front().segment));
    idle_.erase(idle_.begin());
  }
}

std::unique_ptr<Segment> SegmentMemory::RemoveShared(uint32_t place) {
  allocator_.RemoveSegment(place);
  return std::move(shared_[place].segment);
}

Instant SegmentMemory::ReleaseIdle(Instant now) {
  if (idle_release_ <= absl::ZeroDuration()) return absl::InfiniteDuration();
  std::vector<std::unique_ptr<Segment>> dropped;
  MutexLock lock(mutex_);
  Instant next = now + idle_release_;  // of what may come to lie idle by then
  for (const uint32_t place : allocator_.EmptySegments()) {
    const Instant due = shared_[place].empty_since + idle_release_;
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    dropped.push_back(RemoveShared(place));
  }
  while (!idle_.empty() && idle_.front().since + idle_release_ <= now) {
    idle_bytes_ -= idle_.front().segment->size();
    dropped.push_back(std::move(idle_.front().segment));
    idle_.erase(idle_.begin());
  }
  if (!idle_.empty()) next = std::min(next, idle_.front().since + idle_release_);
  const bool any = !idle_.empty() || !alone_.empty() || allocator_.figures().in_segments > 0;
  return any ? next : absl::InfiniteDuration();
}

SegmentMemory::Counters SegmentMemory::counters() const {
  MutexLock lock(mutex_);
  Counters counters;
  counters.segments = alone_.size() + idle_.size();
  counters.blobs = blobs_;
  counters.bytes = bytes_;
  for (const Shared& shared : shared_) {
    if (shared.segment == nullptr) continue;
    ++counters.segments;
    counters.reserved_bytes += shared.segment->reserved();
  }
  for (const auto& [id, segment] : alone_) counters.reserved_bytes += segment->reserved();
  for (const Idle& idle : idle_) counters.reserved_bytes += idle.segment->reserved();
  return counters;
}

}  // namespace packice
