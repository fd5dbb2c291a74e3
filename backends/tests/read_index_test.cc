// What the two ends of a read index hold to while nobody interferes; read_index_stress_test has
// those who do.
#include "packice/backends/read_index.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/read_index_view.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using Outcome = ReadIndexView::Outcome;

class ReadIndexTest : public testing::Test {
 protected:
  ReadIndexTest() { Restart(4096); }

  void Restart(uint64_t slots) {
    index_.reset();
    ReadIndexOptions options;
    options.slots = slots;
    options.random = &random_;
    index_ = *ReadIndex::Create(options);
    Reopen();
  }
  void Reopen() { view_ = *ReadIndexView::Open(index_->descriptor()->get(), clock_); }

  void Publish(absl::string_view id, uint64_t offset, Instant deadline = absl::InfiniteDuration()) {
    index_->Publish({id, 3, offset, 10, deadline});
  }
  Outcome Look(absl::string_view id) { return view_->Lookup(id).outcome; }

  FakeClock clock_;
  FakeRandom random_;
  std::unique_ptr<ReadIndex> index_;
  std::unique_ptr<ReadIndexView> view_;
};

// Ids of one size differ in their last byte only.
std::string IdOfSize(size_t size, char last = 'z') { return std::string(size - 1, 'i') + last; }

TEST_F(ReadIndexTest, WhatIsPublishedIsFoundAsItWasPublished) {
  index_->Publish({"a", 5, (uint64_t{1} << 40) - 1, (uint64_t{1} << 32) - 2});
  const ReadIndexView::Found found = view_->Lookup("a");
  ASSERT_EQ(found.outcome, Outcome::kFound);
  EXPECT_EQ(found.segment, 5u);
  EXPECT_EQ(found.offset, (uint64_t{1} << 40) - 1);
  EXPECT_EQ(found.size, (uint64_t{1} << 32) - 2);
  EXPECT_TRUE(found.readable);
  EXPECT_TRUE(view_->Validate(found));
  EXPECT_EQ(Look("b"), Outcome::kMissing);
}

TEST_F(ReadIndexTest, IdsOfEverySizeAreToldApart) {
  for (size_t size = 1; size <= ObjectId::kMaxBytes; ++size) {
    Publish(IdOfSize(size), size);
    Publish(IdOfSize(size, '\0'), 1000 + size);
  }
  for (size_t size = 1; size <= ObjectId::kMaxBytes; ++size) {
    ASSERT_EQ(view_->Lookup(IdOfSize(size)).offset, size);
    ASSERT_EQ(view_->Lookup(IdOfSize(size, '\0')).offset, 1000 + size);
    ASSERT_EQ(Look(IdOfSize(size, 'a')), Outcome::kMissing);
    index_->Withdraw(IdOfSize(size));
    ASSERT_EQ(Look(IdOfSize(size)), Outcome::kMissing);
    ASSERT_EQ(Look(IdOfSize(size, '\0')), Outcome::kFound);
  }
  EXPECT_EQ(index_->entries(), ObjectId::kMaxBytes);
}

TEST_F(ReadIndexTest, NoIdAndOneThatIsTooLongAreNotThere) {
  Publish("", 1);
  Publish(std::string(256, 'i'), 1);
  index_->Withdraw("");
  EXPECT_EQ(index_->entries(), 0u);
  EXPECT_EQ(Look(""), Outcome::kMissing);
  EXPECT_EQ(Look(std::string(256, 'i')), Outcome::kMissing);
}

TEST_F(ReadIndexTest, AReadThatAWithdrawalCameBetweenIsNotValid) {
  for (const size_t size : {1, 100}) {
    Publish(IdOfSize(size), 1);
    const ReadIndexView::Found found = view_->Lookup(IdOfSize(size));
    Publish("another", 2);
    EXPECT_TRUE(view_->Validate(found));
    index_->Withdraw(IdOfSize(size));
    EXPECT_FALSE(view_->Validate(found));
    Publish(IdOfSize(size), 1);
    EXPECT_FALSE(view_->Validate(found)) << "not even when all is as it was";
  }
}

TEST_F(ReadIndexTest, PublishingAgainReplacesTheEntry) {
  Publish("a", 1);
  const ReadIndexView::Found old = view_->Lookup("a");
  Publish("a", 2);
  EXPECT_FALSE(view_->Validate(old));
  EXPECT_EQ(view_->Lookup("a").offset, 2u);
  EXPECT_EQ(index_->entries(), 1u);
}

TEST_F(ReadIndexTest, WhatTheLayoutHasNoRoomForIsNotFoundNorIsWhatItReplaces) {
  Publish("a", 1);
  index_->Publish({"a", 3, uint64_t{1} << 40, 10});
  EXPECT_EQ(Look("a"), Outcome::kMissing);
  Publish("a", 1);
  index_->Publish({"a", 3, 1, (uint64_t{1} << 32) - 1});
  EXPECT_EQ(Look("a"), Outcome::kMissing);
  EXPECT_EQ(index_->entries(), 0u);
}

TEST_F(ReadIndexTest, AnEntryIsFoundUntilItsDeadline) {
  Publish("a", 1, clock_.Now() + absl::Seconds(1));
  Publish("past", 1, -absl::Seconds(1));
  EXPECT_EQ(Look("past"), Outcome::kMissing);
  clock_.Advance(absl::Seconds(1) - absl::Nanoseconds(1));
  EXPECT_EQ(Look("a"), Outcome::kFound);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(Look("a"), Outcome::kMissing);
}

TEST_F(ReadIndexTest, ASlotTellsWhoWasFoundInItUntilItChanges) {
  Publish("a", 1);
  const ReadIndexView::Found found = view_->Lookup("a");
  EXPECT_EQ(index_->IdAt(found.slot, found.check()), *ObjectId::Parse("a"));
  EXPECT_EQ(index_->IdAt(found.slot, found.check() + 1), absl::nullopt);
  EXPECT_EQ(index_->IdAt(found.slot + 1, found.check()), absl::nullopt);
  EXPECT_EQ(index_->IdAt(~uint64_t{0}, found.check()), absl::nullopt);
  Publish("a", 2);
  EXPECT_EQ(index_->IdAt(found.slot, found.check()), absl::nullopt);
  index_->Withdraw("a");
  const ReadIndexView::Found gone = view_->Lookup("a");
  EXPECT_EQ(index_->IdAt(found.slot, gone.check()), absl::nullopt);
}

TEST_F(ReadIndexTest, TheEndOfTheIndexIsTold) {
  Publish("a", 1);
  const ReadIndexView::Found found = view_->Lookup("a");
  index_.reset();
  EXPECT_TRUE(view_->stale());
  EXPECT_EQ(Look("a"), Outcome::kStale);
  EXPECT_FALSE(view_->Validate(found));
}

TEST_F(ReadIndexTest, NobodyWritesThroughTheDescriptor) {
  const int fd = index_->descriptor()->get();
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  void* mapped = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_NE(mprotect(mapped, 4096, PROT_READ | PROT_WRITE), 0);
  munmap(mapped, 4096);
  EXPECT_LT(pwrite(fd, "x", 1, 0), 0);
  EXPECT_NE(ftruncate(fd, 0), 0);
  EXPECT_NE(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
}

TEST_F(ReadIndexTest, WhatIsNotReadableIsFoundAndNotRead) {
  constexpr uint32_t kOwn = ReadIndexEntry::kOwnMemory;
  index_->Publish({.id = "large", .segment = kOwn, .offset = 77, .size = 1, .readable = false});
  index_->Publish({.id = "huge", .segment = 1, .size = uint64_t{1} << 40, .readable = false});
  const ReadIndexView::Found found = view_->Lookup("large");
  ASSERT_EQ(found.outcome, Outcome::kFound);
  EXPECT_EQ(found.segment, kOwn);
  EXPECT_EQ(found.offset, 77u);
  EXPECT_FALSE(found.readable);
  EXPECT_EQ(Look("huge"), Outcome::kFound);
  const std::string memory(100, 'x');
  std::string out(100, '-');
  const auto segments = [&](uint32_t) { return absl::MakeConstSpan(memory); };
  EXPECT_EQ(view_->Read("large", segments, absl::MakeSpan(out)).outcome, Outcome::kMissing);
  EXPECT_EQ(view_->Read("huge", segments, absl::MakeSpan(out)).outcome, Outcome::kMissing);
}

TEST_F(ReadIndexTest, ReadCopiesWhatFitsAndIsMapped) {
  const std::string segment = "..........0123456789";
  index_->Publish({"a", 1, 10, 10});
  index_->Publish({"beyond", 1, 11, 10});
  index_->Publish({"far", 1, (uint64_t{1} << 40) - 1, 10});
  index_->Publish({"elsewhere", 2, 10, 10});
  index_->Publish({"nothing", 1, 20, 0});
  index_->Publish({"nothing elsewhere", 2, 0, 0});
  const auto segments = [&](uint32_t number) {
    return number == 1 ? absl::MakeConstSpan(segment) : absl::Span<const char>();
  };
  std::string out(20, '-');
  const auto read = [&](absl::string_view id, size_t room) {
    return view_->Read(id, segments, absl::MakeSpan(&out[0], room));
  };
  EXPECT_EQ(read("a", 20).outcome, Outcome::kFound);
  EXPECT_EQ(out, "0123456789----------");
  EXPECT_EQ(read("a", 10).size, 10u);
  EXPECT_EQ(read("a", 9).outcome, Outcome::kTooSmall);
  EXPECT_EQ(read("a", 9).size, 10u);
  EXPECT_EQ(view_->Read("nothing", segments, {}).outcome, Outcome::kFound);
  for (const char* id : {"beyond", "far", "elsewhere", "nothing elsewhere", "unknown"}) {
    EXPECT_EQ(read(id, 20).outcome, Outcome::kMissing) << id;
  }
}

TEST_F(ReadIndexTest, ItGrowsAndKeepsWhatIsInIt) {
  constexpr uint64_t kEntries = 30'000;
  Restart(1);
  const auto id = [](uint64_t i) {
    return i % 10 == 0 ? absl::StrCat(std::string(40 + i % 200, 'l'), i) : absl::StrCat(i);
  };
  int opened = 0;
  const auto look = [&](uint64_t i) {
    ReadIndexView::Found found = view_->Lookup(id(i));
    if (found.outcome == Outcome::kStale) {
      ++opened;
      Reopen();
      found = view_->Lookup(id(i));
    }
    return found;
  };
  // Every third is withdrawn again, some while growing, and some just published before.
  for (uint64_t i = 0; i < kEntries; ++i) {
    Publish(id(i), i);
    ASSERT_EQ(look(i).offset, i);
    if (i % 3 == 0) index_->Withdraw(id(i / 2 / 3 * 3));
  }
  uint64_t there = 0;
  for (uint64_t i = 0; i < kEntries; ++i) {
    const bool withdrawn = i % 3 == 0 && i / 3 * 3 < (kEntries + 1) / 2;
    const ReadIndexView::Found found = look(i);
    ASSERT_EQ(found.outcome, withdrawn ? Outcome::kMissing : Outcome::kFound) << i;
    if (withdrawn) continue;
    ++there;
    ASSERT_EQ(found.offset, i);
    ASSERT_EQ(index_->IdAt(found.slot, found.check())->bytes(), id(i));
  }
  EXPECT_EQ(index_->entries(), there);
  EXPECT_GE(opened, 8);
}

TEST_F(ReadIndexTest, LongIdsThatGoMakeRoomForOthers) {
  Publish(IdOfSize(200, 'a'), 1);
  const uint64_t bytes = index_->bytes();
  for (int i = 0; i < 1000; ++i) {
    index_->Withdraw(IdOfSize(200, 'a'));
    Publish(IdOfSize(199, 'b'), 2);
    index_->Withdraw(IdOfSize(199, 'b'));
    Publish(IdOfSize(200, 'a'), 1);
  }
  EXPECT_EQ(index_->bytes(), bytes);
}

TEST_F(ReadIndexTest, WhatCannotGrowTakesWhatItHasRoomFor) {
  constexpr uint64_t kEntries = 1000;
  Restart(512);
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {0, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (uint64_t i = 0; i < kEntries; ++i) Publish(absl::StrCat(i), i);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_FALSE(view_->stale());
  uint64_t found = 0;
  for (uint64_t i = 0; i < kEntries; ++i) {
    const ReadIndexView::Found entry = view_->Lookup(absl::StrCat(i));
    if (entry.outcome != Outcome::kFound) continue;
    ++found;
    EXPECT_EQ(entry.offset, i);
  }
  EXPECT_EQ(found, index_->entries());
  EXPECT_GT(found, 480u) << "of 512";

  // Later it does.
  for (uint64_t i = 0; i < 2 * kEntries; ++i) Publish(absl::StrCat(i % kEntries), i % kEntries);
  EXPECT_TRUE(view_->stale());
  Reopen();
  for (uint64_t i = 0; i < kEntries; ++i) Publish(absl::StrCat(i), i);
  EXPECT_EQ(index_->entries(), kEntries);
}

TEST_F(ReadIndexTest, AnEntryTakesNoMoreThanNinetySixBytes) {
  constexpr uint64_t kEntries = 200'000;
  Restart(100'000);
  double most = 0;
  for (uint64_t i = 0; i < kEntries; ++i) {
    Publish(absl::StrCat("shard-00/", i), i);
    // While it grows both tables count.
    if (i > 90'000 && view_->stale()) {
      Reopen();
      most = std::max(most, static_cast<double>(index_->bytes()) / static_cast<double>(i + 1));
    }
  }
  EXPECT_GT(most, 70);
  EXPECT_LE(most, 97);
  EXPECT_EQ(index_->entries(), kEntries) << "all have found a place";
}

}  // namespace
}  // namespace packice
