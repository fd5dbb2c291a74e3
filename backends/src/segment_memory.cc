#include "segment_memory.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
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

SegmentMemory::SegmentMemory(const MemoryBlobStoreOptions& options, bool in_temp_files,
                             Budget descriptors, Budget mappings)
    : temp_directory_(in_temp_files
                          ? options.temp_directory.value_or(TempFileBlob::DefaultDirectory())
                          : std::string()),
      shared_limit_(std::min<uint64_t>(options.segment_threshold, SegmentAllocator::kMaxSize)),
      pages_(options.pages),
      idle_release_(options.idle_release),
      clock_(*options.clock),
      descriptors_(std::move(descriptors)),
      mappings_(std::move(mappings)),
      next_id_(FirstId(*options.random)) {}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::Allocate(uint64_t size) {
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = TryAllocate(size);
  // What lies idle may be just what is wanting.
  if (!range.ok() && KindOf(range.status()) == ErrorKind::kCapacity && DropIdle()) {
    range = TryAllocate(size);
  }
  // Readers without a lease may still be at what was there before.
  ReadIndex::BeforeRefill();
  return range;
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::TryAllocate(uint64_t size) {
  return size > shared_limit_ ? AllocateAlone(size) : AllocateShared(size);
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::AllocateShared(uint64_t size) {
  const auto take = [&] {
    MutexLock lock(mutex_);
    return TakeShared(size);
  };
  absl::StatusOr<std::shared_ptr<SegmentRange>> range = take();
  if (!range.ok() || *range != nullptr) return range;
  // Without mutex_, because to make one may take long (prefault, lock).
  MutexLock growing(growing_);
  range = take();
  if (!range.ok() || *range != nullptr) return range;
  const uint64_t total = [&] {
    MutexLock lock(mutex_);
    return allocator_.figures().in_segments;
  }();
  absl::StatusOr<std::unique_ptr<Segment>> segment =
      MakeSegment(std::clamp(RoundUp(total / 16, kSmallest), kSmallest, kLargest));
  if (!segment.ok()) return segment.status();
  MutexLock lock(mutex_);
  AddShared(*std::move(segment));
  return TakeShared(size);
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::TakeShared(uint64_t size) {
  const absl::optional<SegmentAllocator::Place> place = allocator_.Allocate(size);
  if (!place.has_value()) return nullptr;
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

absl::StatusOr<std::unique_ptr<Segment>> SegmentMemory::MakeSegment(uint64_t bytes) {
  SegmentShares shares{descriptors_.Take(), mappings_.Take()};
  if (!shares.descriptor || !shares.mapping) {
    return MakeError(
        ErrorKind::kCapacity,
        shares.mapping
            ? absl::StrCat("blobs hold all of the ", descriptors_.most(),
                           " descriptors that they may; release some, or raise the limit "
                           "(ulimit -n)")
            : absl::StrCat("blobs hold all of the ", mappings_.most(),
                           " mappings that they may; release some, or raise vm.max_map_count"));
  }
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  return Segment::Create(id, bytes, temp_directory_, pages_, std::move(shares));
}

void SegmentMemory::AddShared(std::unique_ptr<Segment> segment) {
  const auto free = absl::c_find_if(shared_, [](const Shared& s) { return s.segment == nullptr; });
  const auto place = static_cast<uint32_t>(free - shared_.begin());
  if (free == shared_.end()) shared_.emplace_back();
  {
    MutexLock lock(places_mutex_);
    if (place >= places_.size()) places_.resize(size_t{place} + 1);
    places_[place] = segment.get();
  }
  allocator_.AddSegment(place, segment->size());
  shared_[place] = Shared{std::move(segment), clock_.Now()};
}

absl::StatusOr<std::shared_ptr<SegmentRange>> SegmentMemory::AllocateAlone(uint64_t size) {
  std::unique_ptr<Segment> segment;
  {
    // One that fits and wastes little.
    MutexLock lock(mutex_);
    segment = idle_.Take(size, size + size / 8 + kAloneUnit);
  }
  if (segment == nullptr) {
    auto made = MakeSegment(RoundUp(size, kAloneUnit));
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
  idle_.Add(std::move(found->second), now);
  alone_.erase(found);
  const bool keep = idle_release_ > absl::ZeroDuration();
  while (idle_.bytes() > (keep ? kIdleBytes + alone_bytes_ / 8 : 0)) {
    dropped.push_back(idle_.TakeLongestIdle());
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
  while (!idle_.empty() && idle_.since() + idle_release_ <= now) {
    dropped.push_back(idle_.TakeLongestIdle());
  }
  if (!idle_.empty()) next = std::min(next, idle_.since() + idle_release_);
  const bool any = !idle_.empty() || !alone_.empty() || allocator_.figures().in_segments > 0;
  return any ? next : absl::InfiniteDuration();
}

bool SegmentMemory::DropIdle() {
  std::vector<std::unique_ptr<Segment>> dropped;  // unmapped without the lock
  MutexLock lock(mutex_);
  for (const uint32_t place : allocator_.EmptySegments()) dropped.push_back(RemoveShared(place));
  while (!idle_.empty()) dropped.push_back(idle_.TakeLongestIdle());
  return !dropped.empty();
}

SegmentMemory::Counters SegmentMemory::counters() const {
  MutexLock lock(mutex_);
  Counters counters;
  counters.segments = alone_.size() + idle_.count();
  counters.blobs = blobs_;
  counters.bytes = bytes_;
  for (const Shared& shared : shared_) {
    if (shared.segment == nullptr) continue;
    ++counters.segments;
    counters.reserved_bytes += shared.segment->reserved();
  }
  for (const auto& [id, segment] : alone_) counters.reserved_bytes += segment->reserved();
  counters.reserved_bytes += idle_.reserved_bytes();
  return counters;
}

}  // namespace packice
