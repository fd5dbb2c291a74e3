#include "segment_allocator.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "free_pages.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lowest.h"

namespace packice {
namespace {

using Place = SegmentAllocator::Place;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kMaxSize = SegmentAllocator::kMaxSize;

struct Object {
  Place place;
  uint64_t size = 0;
};

// Takes objects of one size until there is no room.
std::vector<Object> Fill(SegmentAllocator& allocator, uint64_t size) {
  std::vector<Object> objects;
  while (auto place = allocator.Allocate(size)) objects.push_back({*place, size});
  return objects;
}

// An allocator, and a record of what is taken by which every call is judged.
class Judged {
 public:
  void AddSegment(uint32_t id, uint64_t bytes) {
    allocator_.AddSegment(id, bytes);
    segments_[id] = bytes;
  }

  bool Allocate(uint64_t size) {
    const absl::optional<Place> place = allocator_.Allocate(size);
    if (!place) return false;
    const uint64_t room = SegmentAllocator::RoomOf(size);
    EXPECT_EQ(place->offset % (size > 64 * kKiB ? 4096 : 64), 0u);
    EXPECT_LE(place->offset + room, segments_.at(place->segment));
    EXPECT_LE(place->offset + room, allocator_.usage(place->segment).high_water);
    const auto [at, fresh] = taken_.insert({{place->segment, place->offset}, room});
    EXPECT_TRUE(fresh);
    if (at != taken_.begin()) ExpectApart(*std::prev(at), *at);
    if (std::next(at) != taken_.end()) ExpectApart(*at, *std::next(at));
    objects_.push_back({*place, size});
    asked_ += size;
    rounded_ += room;
    return true;
  }

  void FreeAny(std::mt19937_64& random) {
    if (objects_.empty()) return;
    std::swap(objects_[random() % objects_.size()], objects_.back());
    const Object object = objects_.back();
    objects_.pop_back();
    taken_.erase({object.place.segment, object.place.offset});
    allocator_.Free(object.place, object.size);
    asked_ -= object.size;
    rounded_ -= SegmentAllocator::RoomOf(object.size);
  }

  void ExpectTrueFigures() const {
    const SegmentAllocator::Figures& figures = allocator_.figures();
    EXPECT_EQ(figures.objects, objects_.size());
    EXPECT_EQ(figures.asked, asked_);
    EXPECT_EQ(figures.rounded, rounded_);
    EXPECT_LE(figures.rounded, figures.in_spans);
    EXPECT_LE(figures.in_spans, figures.in_segments);
    std::map<uint32_t, uint64_t> counts;
    std::map<uint32_t, uint64_t> rooms;
    for (const Object& object : objects_) ++counts[object.place.segment];
    for (const auto& [at, room] : taken_) rooms[at.first] += room;
    std::vector<uint32_t> empty;
    for (const auto& [id, bytes] : segments_) {
      EXPECT_EQ(allocator_.usage(id).rounded, rooms[id]);
      EXPECT_EQ(allocator_.usage(id).objects, counts[id]);
      if (counts[id] == 0) empty.push_back(id);
    }
    EXPECT_EQ(allocator_.EmptySegments(), empty);
  }

  size_t live() const { return objects_.size(); }
  const SegmentAllocator& allocator() const { return allocator_; }

 private:
  using Taken = std::map<std::pair<uint32_t, uint64_t>, uint64_t>;

  static void ExpectApart(const Taken::value_type& low, const Taken::value_type& high) {
    if (low.first.first == high.first.first) {
      EXPECT_LE(low.first.second + low.second, high.first.second) << "in " << low.first.first;
    }
  }

  SegmentAllocator allocator_;
  std::map<uint32_t, uint64_t> segments_;
  std::vector<Object> objects_;
  Taken taken_;
  uint64_t asked_ = 0;
  uint64_t rounded_ = 0;
};

// Of all magnitudes alike.
uint64_t AnySize(std::mt19937_64& random) {
  const uint64_t limit = uint64_t{64} << random() % 17;
  return random() % (limit + 1);
}

TEST(SegmentAllocatorTest, ObjectsNeverOverlapWhateverComesAndGoes) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    std::mt19937_64 random(seed);
    Judged judged;
    judged.AddSegment(0, 16 * kMiB);
    judged.AddSegment(1, 3 * kMiB + 64 * kKiB);
    judged.AddSegment(5, 24 * kMiB);
    for (int round = 0; round < 40; ++round) {
      // It fills, then drains; sometimes to nothing.
      for (int i = 0; i < 1500; ++i) {
        if (random() % 4 == 0 || !judged.Allocate(AnySize(random))) judged.FreeAny(random);
      }
      judged.ExpectTrueFigures();
      const size_t left = random() % 3 * judged.live() / 3;
      while (judged.live() > left) judged.FreeAny(random);
      judged.ExpectTrueFigures();
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", round " << round;
    }
    while (judged.live() > 0) judged.FreeAny(random);
    EXPECT_EQ(judged.allocator().figures().in_spans, 0u);
    EXPECT_THAT(judged.allocator().EmptySegments(), ElementsAre(0, 1, 5));
  }
}

TEST(SegmentAllocatorTest, NoSizeIsRoundedUpByMoreThanASixteenthOrACacheLine) {
  uint64_t last = 0;
  for (uint64_t size = 0; size <= kMaxSize; size += size < 256 * kKiB ? 1 : 61) {
    const uint64_t room = SegmentAllocator::RoomOf(size);
    ASSERT_EQ(room % 64, 0u) << size;
    ASSERT_GE(room, std::max<uint64_t>(size, 64));
    ASSERT_GE(room, last) << size;
    ASSERT_LE(room - size, size == 0 ? 64 : std::max<uint64_t>(63, size / 16)) << size;
    ASSERT_EQ(SegmentAllocator::RoomOf(room), room) << size;
    last = room;
  }
  EXPECT_EQ(SegmentAllocator::RoomOf(1024), 1024u);
  EXPECT_EQ(SegmentAllocator::RoomOf(1025), 1088u);
}

TEST(SegmentAllocatorTest, SlotsFillTheirSlabsButForA32nd) {
  for (uint64_t size = 64; size <= 64 * kKiB; size = SegmentAllocator::RoomOf(size + 1)) {
    SegmentAllocator allocator;
    allocator.AddSegment(0, 4 * kMiB);
    Fill(allocator, size);
    const SegmentAllocator::Figures& figures = allocator.figures();
    EXPECT_GE(figures.rounded * 32, figures.in_spans * 31) << size;
    EXPECT_GE(figures.in_spans, figures.in_segments - 120 * kKiB) << size;
  }
}

TEST(SegmentAllocatorTest, TheLowestHoleThatFitsIsTakenFirst) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 4 * kMiB);
  for (const uint64_t size : {1 * kKiB, 100 * kKiB}) {
    const std::vector<Object> objects = Fill(allocator, size);
    for (const size_t i : {30, 7, 19}) allocator.Free(objects[i].place, size);
    for (const size_t i : {7, 19, 30}) {
      EXPECT_EQ(allocator.Allocate(size)->offset, objects[i].place.offset);
    }
    for (const Object& object : objects) allocator.Free(object.place, size);
  }
}

TEST(SegmentAllocatorTest, NoSlabIsOpenedWhileAnotherHasAFreeSlot) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 1 * kMiB);
  allocator.AddSegment(1, 1 * kMiB);
  std::vector<Object> objects = Fill(allocator, 1000);
  for (size_t i = 0; i < objects.size(); i += 3) allocator.Free(objects[i].place, 1000);
  const uint64_t in_spans = allocator.figures().in_spans;
  for (size_t i = 0; i < objects.size(); i += 3) objects[i].place = *allocator.Allocate(1000);
  EXPECT_EQ(allocator.figures().in_spans, in_spans);
  EXPECT_EQ(allocator.Allocate(1000), absl::nullopt);
}

TEST(SegmentAllocatorTest, AnEmptySlabServesOtherSizes) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 64 * kKiB);
  for (const uint64_t size : {64, 1024, 4000, 65536}) {
    const std::vector<Object> objects = Fill(allocator, size);
    EXPECT_EQ(allocator.figures().in_spans, 64 * kKiB) << size;
    for (const Object& object : objects) allocator.Free(object.place, size);
    EXPECT_EQ(allocator.figures().in_spans, 0u) << size;
  }
}

TEST(SegmentAllocatorTest, FreeNeighboursBecomeOneInAnyOrder) {
  std::mt19937_64 random(1);
  SegmentAllocator allocator;
  allocator.AddSegment(0, kMaxSize);
  for (const uint64_t size : {40 * kKiB, 68 * kKiB, 1000 * kKiB}) {
    std::vector<Object> objects = Fill(allocator, size);
    std::shuffle(objects.begin(), objects.end(), random);
    for (const Object& object : objects) {
      EXPECT_EQ(allocator.Allocate(kMaxSize), absl::nullopt);
      allocator.Free(object.place, size);
    }
    const absl::optional<Place> all = allocator.Allocate(kMaxSize);
    ASSERT_TRUE(all.has_value()) << size;
    allocator.Free(*all, kMaxSize);
  }
}

TEST(SegmentAllocatorTest, LowerSegmentsAreFilledFirstSoThatHigherOnesDrain) {
  SegmentAllocator allocator;
  for (const uint32_t id : {7, 2, 4}) allocator.AddSegment(id, 1 * kMiB);
  EXPECT_THAT(allocator.EmptySegments(), ElementsAre(2, 4, 7));
  const std::vector<Object> objects = Fill(allocator, 4 * kKiB);
  ASSERT_EQ(objects.size(), 768u);
  for (size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(objects[i].place.segment, i < 256 ? 2u : i < 512 ? 4u : 7u);
  }

  // Every other one goes, and what comes finds a place below.
  std::vector<Object> left;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (i % 2 == 0) allocator.Free(objects[i].place, 4 * kKiB);
    if (i % 2 == 1) left.push_back(objects[i]);
  }
  EXPECT_THAT(allocator.EmptySegments(), IsEmpty());
  for (const Object& object : left) {
    if (object.place.segment != 7) continue;
    allocator.Free(object.place, 4 * kKiB);
    EXPECT_EQ(allocator.Allocate(4 * kKiB)->segment, 2u);
  }
  EXPECT_THAT(allocator.EmptySegments(), ElementsAre(7));
  EXPECT_EQ(allocator.usage(7).objects, 0u);
}

TEST(SegmentAllocatorTest, ARemovedSegmentGivesNoRoomAndItsIdMayComeAgain) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 1 * kMiB);
  allocator.Free(*allocator.Allocate(100), 100);
  allocator.RemoveSegment(0);
  EXPECT_EQ(allocator.Allocate(100), absl::nullopt);
  EXPECT_THAT(allocator.EmptySegments(), IsEmpty());
  EXPECT_EQ(allocator.figures().in_segments, 0u);
  allocator.AddSegment(0, 2 * kMiB);
  EXPECT_EQ(allocator.usage(0).high_water, 0u);
  EXPECT_TRUE(allocator.Allocate(2 * kMiB).has_value());
}

TEST(SegmentAllocatorTest, TheHighWaterMarkRisesWithSpansAndStays) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 1 * kMiB);
  EXPECT_EQ(allocator.usage(0).high_water, 0u);
  const Place small = *allocator.Allocate(1);
  EXPECT_EQ(allocator.usage(0).high_water, 64 * kKiB);
  const Place large = *allocator.Allocate(200 * kKiB);
  EXPECT_EQ(allocator.usage(0).high_water, 264 * kKiB);
  allocator.Free(small, 1);
  allocator.Free(large, 200 * kKiB);
  EXPECT_EQ(allocator.usage(0).high_water, 264 * kKiB);
  allocator.Free(*allocator.Allocate(264 * kKiB), 264 * kKiB);
  EXPECT_EQ(allocator.usage(0).high_water, 264 * kKiB);
}

TEST(SegmentAllocatorTest, WhatIsTooLargeGetsNothing) {
  SegmentAllocator allocator;
  EXPECT_EQ(allocator.Allocate(1), absl::nullopt) << "there is no segment";
  allocator.AddSegment(0, 2 * kMaxSize);
  EXPECT_EQ(allocator.Allocate(kMaxSize + 1), absl::nullopt);
  EXPECT_EQ(allocator.Allocate(UINT64_MAX), absl::nullopt);
  EXPECT_TRUE(allocator.Allocate(kMaxSize).has_value());
  EXPECT_EQ(allocator.figures().objects, 1u);
}

TEST(SegmentAllocatorTest, NothingBeyondASegmentsEndIsGiven) {
  for (uint64_t bytes = 64 * kKiB; bytes < 1 * kMiB; bytes += SegmentAllocator::kSegmentUnit) {
    SegmentAllocator allocator;
    allocator.AddSegment(0, bytes);
    EXPECT_EQ(allocator.Allocate(bytes + 1), absl::nullopt);
    EXPECT_EQ(Fill(allocator, 4 * kKiB).size(), bytes / (4 * kKiB));
  }
}

TEST(SegmentAllocatorTest, AnEmptyObjectHasAPlaceOfItsOwn) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 64 * kKiB);
  EXPECT_EQ(SegmentAllocator::RoomOf(0), 64u);
  EXPECT_EQ(Fill(allocator, 0).size(), 1024u);
}

TEST(SegmentAllocatorDeathTest, FreeingWhatIsNotTakenAborts) {
  for (const uint64_t size : {uint64_t{64}, 1 * kKiB, 40 * kKiB, 200 * kKiB}) {
    SegmentAllocator allocator;
    allocator.AddSegment(0, 4 * kMiB);
    const Place first = *allocator.Allocate(size);
    const Place second = *allocator.Allocate(size);
    const Place inside{first.segment, first.offset + 32};
    const Place beyond{0, 4 * kMiB};
    const Place elsewhere{1, first.offset};
    for (const Place& place : {inside, beyond, elsewhere}) {
      EXPECT_DEATH(allocator.Free(place, size), "") << size;
    }
    EXPECT_DEATH(allocator.Free(first, size * 2), "") << size;
    EXPECT_DEATH(allocator.Free(first, size == 64 ? 65 : size / 2), "") << size;
    allocator.Free(first, size);
    EXPECT_DEATH(allocator.Free(first, size), "") << size;
    allocator.Free(second, size);
    EXPECT_DEATH(allocator.Free(second, size), "") << size;
  }
}

TEST(SegmentAllocatorDeathTest, ASegmentInUseIsNeitherRemovedNorAddedAgain) {
  SegmentAllocator allocator;
  allocator.AddSegment(0, 1 * kMiB);
  EXPECT_DEATH(allocator.AddSegment(0, 1 * kMiB), "");
  EXPECT_DEATH(allocator.AddSegment(1, 1 * kMiB + 4096), "");
  EXPECT_DEATH(allocator.RemoveSegment(1), "");
  ASSERT_TRUE(allocator.Allocate(1).has_value());
  EXPECT_DEATH(allocator.RemoveSegment(0), "");
}

TEST(FreePagesTest, TheLowestRunIsFoundAsAScanWould) {
  std::mt19937_64 random(1);
  for (const uint32_t pages : {1u, 63u, 64u, 100u, 1000u, 4096u}) {
    FreePages free(pages);
    std::vector<bool> taken(pages);
    std::vector<std::pair<uint32_t, uint32_t>> runs;
    for (int i = 0; i < 2000; ++i) {
      uint32_t longest = 0;
      for (uint32_t page = 0, run = 0; page < pages; ++page) {
        run = taken[page] ? 0 : run + 1;
        longest = std::max(longest, run);
      }
      ASSERT_EQ(free.longest(), longest);
      const uint32_t count = 1 + static_cast<uint32_t>(random() % (uint64_t{2} << random() % 8));
      if (count <= longest && random() % 5 < 3) {
        const std::vector<bool> run(count);
        const auto at = std::search(taken.begin(), taken.end(), run.begin(), run.end());
        const uint32_t first = free.TakeLowest(count);
        ASSERT_EQ(first, static_cast<uint32_t>(at - taken.begin()));
        std::fill_n(at, count, true);
        runs.emplace_back(first, count);
      } else if (!runs.empty()) {
        std::swap(runs[random() % runs.size()], runs.back());
        const auto [first, length] = runs.back();
        runs.pop_back();
        free.GiveBack(first, length);
        std::fill_n(taken.begin() + first, length, false);
      }
    }
  }
}

TEST(LowestTest, BothGrowAndFindTheLowest) {
  LowestSet set;
  LowestAtLeast values;
  EXPECT_EQ(set.First(), absl::nullopt);
  EXPECT_EQ(values.Find(1), absl::nullopt);
  for (const uint32_t number : {10'000u, 64u, 4095u, 3u}) {
    set.Insert(number);
    values.Set(number, number);
    EXPECT_EQ(set.First(), number == 4095 ? 64 : number);
    EXPECT_EQ(values.Find(number), number);
  }
  EXPECT_THAT(set.All(), ElementsAre(3, 64, 4095, 10'000));
  EXPECT_EQ(values.Find(4), 64u);
  EXPECT_EQ(values.Find(5000), 10'000u);
  EXPECT_EQ(values.Find(10'001), absl::nullopt);
  for (const uint32_t number : {3u, 64u, 4095u}) set.Erase(number);
  EXPECT_EQ(set.First(), 10'000u);
  set.Erase(10'000);
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace packice
