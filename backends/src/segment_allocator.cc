#include "segment_allocator.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "free_pages.h"
#include "segment_span.h"

namespace packice {
namespace {

static_assert(SegmentAllocator::kSegmentUnit == kMinSpanPages * kPageBytes);

constexpr uint32_t PagesOf(uint64_t size) {
  return static_cast<uint32_t>((size + kPageBytes - 1) / kPageBytes);
}

void Require(bool held) {
  if (!held) std::abort();
}

}  // namespace

struct SegmentAllocator::Segment {
  explicit Segment(uint64_t size)
      : bytes(size), free(PagesOf(size)), spans(PagesOf(size) / kMinSpanPages) {}

  // The slab that the page is in, if it is in one; that begins in this group or one of two before.
  SegmentSpan* SlabWith(uint32_t page) {
    for (size_t group = page / kMinSpanPages;; --group) {
      SegmentSpan& span = spans[group];
      if (span.pages > 0 && span.page <= page) {
        return page < span.page + span.pages ? &span : nullptr;
      }
      if (group == 0) return nullptr;
    }
  }

  uint64_t bytes;
  Usage usage;
  FreePages free;
  std::vector<SegmentSpan> spans;                  // by the group of pages that they begin in
  std::array<LowestSet, kSlabClasses> with_slots;  // by class: groups of slabs with a free slot
};

SegmentAllocator::SegmentAllocator() : with_slots_(kSlabClasses) {}
SegmentAllocator::~SegmentAllocator() = default;

uint64_t SegmentAllocator::RoomOf(uint64_t size) {
  if (size <= kMaxSlabSize) return kClasses[SlabClassOf(size)].size;
  // Not to classes: sizes around 256 KiB and 3.12 MiB, any of them evicted, took 16 % more than the
  // payload with pages and 19 % with 16 classes a doubling (segment_allocator_bench, 4 GiB).
  return (size + kPageBytes - 1) / kPageBytes * kPageBytes;
}

void SegmentAllocator::AddSegment(uint32_t id, uint64_t bytes) {
  Require(bytes > 0 && bytes % kSegmentUnit == 0 && bytes / kPageBytes <= UINT32_MAX / 2);
  if (id >= segments_.size()) segments_.resize(size_t{id} + 1);
  Require(segments_[id] == nullptr);
  segments_[id] = std::make_unique<Segment>(bytes);
  free_runs_.Set(id, segments_[id]->free.longest());
  empty_.Insert(id);
  figures_.in_segments += bytes;
}

void SegmentAllocator::RemoveSegment(uint32_t id) {
  Segment& segment = SegmentAt(id);
  Require(segment.usage.objects == 0);
  figures_.in_segments -= segment.bytes;
  empty_.Erase(id);
  free_runs_.Set(id, 0);
  segments_[id] = nullptr;
}

absl::optional<SegmentAllocator::Place> SegmentAllocator::Allocate(uint64_t size) {
  if (size > kMaxSize) return absl::nullopt;
  const absl::optional<Place> place =
      size <= kMaxSlabSize ? TakeSlot(SlabClassOf(size)) : TakeSpan(PagesOf(size));
  if (!place) return absl::nullopt;
  Count(place->segment, size);
  return place;
}

void SegmentAllocator::Free(Place place, uint64_t size) {
  Segment& segment = SegmentAt(place.segment);
  Require(size <= kMaxSize && place.offset < segment.bytes);
  if (size <= kMaxSlabSize) {
    FreeSlot(place, SlabClassOf(size));
  } else {
    SegmentSpan& span = segment.spans[place.offset / kPageBytes / kMinSpanPages];
    Require(span.slab_class == kOwnSpan && span.pages == PagesOf(size));
    Require(place.offset == uint64_t{span.page} * kPageBytes);
    FreeSpan(place.segment, span);
  }
  Uncount(place.segment, size);
}

const SegmentAllocator::Usage& SegmentAllocator::usage(uint32_t id) const {
  return SegmentAt(id).usage;
}

SegmentAllocator::Segment& SegmentAllocator::SegmentAt(uint32_t id) const {
  Require(id < segments_.size() && segments_[id] != nullptr);
  return *segments_[id];
}

void SegmentAllocator::Count(uint32_t id, uint64_t size) {
  Usage& usage = segments_[id]->usage;
  if (usage.objects++ == 0) empty_.Erase(id);
  usage.rounded += RoomOf(size);
  ++figures_.objects;
  figures_.asked += size;
  figures_.rounded += RoomOf(size);
}

void SegmentAllocator::Uncount(uint32_t id, uint64_t size) {
  Usage& usage = segments_[id]->usage;
  if (--usage.objects == 0) empty_.Insert(id);
  usage.rounded -= RoomOf(size);
  --figures_.objects;
  figures_.asked -= size;
  figures_.rounded -= RoomOf(size);
}

absl::optional<SegmentAllocator::Place> SegmentAllocator::TakeSlot(size_t slab_class) {
  LowestSet& with_slots = with_slots_[slab_class];
  if (with_slots.empty() && !OpenSlab(slab_class)) return absl::nullopt;
  const uint32_t id = *with_slots.First();
  Segment& segment = *segments_[id];
  LowestSet& groups = segment.with_slots[slab_class];
  const uint32_t group = *groups.First();
  SegmentSpan& span = segment.spans[group];
  const uint32_t slot = span.TakeLowestSlot();
  const SlabClass& slab = kClasses[slab_class];
  if (span.taken == slab.slots) {
    groups.Erase(group);
    if (groups.empty()) with_slots.Erase(id);
  }
  return Place{id, uint64_t{span.page} * kPageBytes + uint64_t{slot} * slab.size};
}

absl::optional<SegmentAllocator::Place> SegmentAllocator::TakeSpan(uint32_t pages) {
  const absl::optional<uint32_t> id = free_runs_.Find(pages);
  if (!id) return absl::nullopt;
  Segment& segment = *segments_[*id];
  const uint32_t page = segment.free.TakeLowest(pages);
  free_runs_.Set(*id, segment.free.longest());
  SegmentSpan& span = segment.spans[page / kMinSpanPages];
  span.page = page;
  span.pages = pages;
  const uint64_t end = uint64_t{page + pages} * kPageBytes;
  segment.usage.high_water = std::max(segment.usage.high_water, end);
  figures_.in_spans += uint64_t{pages} * kPageBytes;
  return Place{*id, uint64_t{page} * kPageBytes};
}

bool SegmentAllocator::OpenSlab(size_t slab_class) {
  const absl::optional<Place> place = TakeSpan(kClasses[slab_class].pages);
  if (!place) return false;
  Segment& segment = *segments_[place->segment];
  const auto group = static_cast<uint32_t>(place->offset / kPageBytes / kMinSpanPages);
  segment.spans[group].MakeSlab(slab_class);
  segment.with_slots[slab_class].Insert(group);
  with_slots_[slab_class].Insert(place->segment);
  return true;
}

void SegmentAllocator::FreeSlot(Place place, size_t slab_class) {
  Segment& segment = *segments_[place.segment];
  SegmentSpan* span = segment.SlabWith(static_cast<uint32_t>(place.offset / kPageBytes));
  Require(span != nullptr && span->slab_class == slab_class);
  const SlabClass& slab = kClasses[slab_class];
  const auto within = static_cast<uint32_t>(place.offset - uint64_t{span->page} * kPageBytes);
  Require(within % slab.size == 0 && within / slab.size < slab.slots);
  span->GiveBackSlot(within / slab.size);

  const auto group = static_cast<uint32_t>(span - segment.spans.data());
  LowestSet& groups = segment.with_slots[slab_class];
  if (span->taken == 0) {
    groups.Erase(group);
    if (groups.empty()) with_slots_[slab_class].Erase(place.segment);
    FreeSpan(place.segment, *span);
  } else if (span->taken + 1 == slab.slots) {
    groups.Insert(group);
    with_slots_[slab_class].Insert(place.segment);
  }
}

void SegmentAllocator::FreeSpan(uint32_t id, SegmentSpan& span) {
  Segment& segment = *segments_[id];
  segment.free.GiveBack(span.page, span.pages);
  free_runs_.Set(id, segment.free.longest());
  figures_.in_spans -= uint64_t{span.pages} * kPageBytes;
  span = SegmentSpan();
}

}  // namespace packice
