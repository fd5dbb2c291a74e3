#include "packice/core/event_ring.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/error.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Page = absl::StatusOr<EventPage>;

void Tell(EventRing& ring, EventKind kind, absl::string_view id, uint64_t size = 1) {
  const absl::StatusOr<ObjectId> parsed = ObjectId::Parse(id);
  ring.Publish(Event{kind, OperationId{7}, parsed.ok() ? *parsed : ObjectId(), size});
}

Page ReadNow(EventRing& ring, EventsRequest request = {}) {
  Pending<Page> pending;
  ring.Read(request, OperationId::kNone, pending.Callback());
  EXPECT_TRUE(pending.IsDone());
  return pending.Wait();
}

std::vector<uint64_t> SequencesOf(const Page& page) {
  std::vector<uint64_t> sequences;
  EXPECT_THAT(page, IsOk());
  if (!page.ok()) return sequences;
  for (const EventRecord& event : page->events) sequences.push_back(event.sequence);
  return sequences;
}

TEST(EventRingTest, AnEventIsKeptWithAllItSays) {
  FakeClock clock;
  EventRingOptions options;
  options.clock = &clock;
  EventRing ring(options);
  {
    const ObjectId id = *ObjectId::Parse("models/a");
    const std::string detail = "why";
    ring.Publish(Event{EventKind::kDemoted, OperationId{3}, id, 42, "cold/hot", detail});
  }
  const Page page = ReadNow(ring);
  ASSERT_THAT(page, IsOk());
  ASSERT_EQ(page->events.size(), 1u);
  const EventRecord& event = page->events[0];
  EXPECT_EQ(event.sequence, 1u);
  EXPECT_EQ(event.time, clock.WallTime());
  EXPECT_EQ(event.kind, EventKind::kDemoted);
  EXPECT_EQ(event.tier, "cold/hot");
  EXPECT_EQ(event.object_id.bytes(), "models/a");
  EXPECT_EQ(event.size, 42u);
  EXPECT_EQ(event.operation, OperationId{3});
  EXPECT_EQ(event.detail, "why");
  EXPECT_EQ(page->next, 1u);
}

TEST(EventRingTest, LongTextsAreCutBetweenCharacters) {
  EventRing ring;
  std::string detail(EventRing::kMaxDetailBytes - 1, 'x');
  detail += "\xc3\xa9\xc3\xa9";
  ring.Publish(Event{EventKind::kTierDegraded, OperationId::kNone, ObjectId(), 0, "hot", detail});
  const Page page = ReadNow(ring);
  ASSERT_EQ(SequencesOf(page), std::vector<uint64_t>{1});
  EXPECT_EQ(page->events[0].detail, std::string(EventRing::kMaxDetailBytes - 1, 'x'));
  EXPECT_TRUE(page->events[0].object_id.empty());
}

TEST(EventRingTest, TheOldestMakeWay) {
  EventRingOptions options;
  options.capacity = 3;
  EventRing ring(options);
  for (int i = 1; i <= 5; ++i) Tell(ring, EventKind::kSealed, absl::StrCat("id", i));
  const Page page = ReadNow(ring);
  EXPECT_THAT(SequencesOf(page), ElementsAre(3, 4, 5));
  EXPECT_EQ(page->events[0].object_id.bytes(), "id3");
  EXPECT_EQ(page->next, 5u);
}

TEST(EventRingTest, WhoAsksForWhatIsGoneIsToldWhereToGoOn) {
  EventRingOptions options;
  options.capacity = 3;
  EventRing ring(options);
  for (int i = 1; i <= 5; ++i) Tell(ring, EventKind::kSealed, "a");
  const Page page = ReadNow(ring, {.after = 1});
  EXPECT_THAT(page, HasKind(ErrorKind::kRetentionGap));
  EXPECT_THAT(std::string(page.status().message()),
              HasSubstr("1 events behind 1 are gone; the oldest is 3: go on after 2"));
  EXPECT_THAT(SequencesOf(ReadNow(ring, {.after = 2})), ElementsAre(3, 4, 5));
  EXPECT_THAT(SequencesOf(ReadNow(ring, {.after = 5})), IsEmpty());
}

TEST(EventRingTest, ANumberOfAnotherRunIsRefused) {
  EventRing ring;
  Tell(ring, EventKind::kSealed, "a");
  EXPECT_THAT(ReadNow(ring, {.after = 2}), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ReadNow(ring, {.after = UINT64_MAX}), HasKind(ErrorKind::kInvalidArgument));
}

TEST(EventRingTest, PagesFollowOneAnother) {
  EventRing ring;
  for (int i = 1; i <= 300; ++i) Tell(ring, EventKind::kSealed, "a");
  std::vector<uint64_t> all;
  EventsRequest request;
  request.limit = 70;
  while (true) {
    const Page page = ReadNow(ring, request);
    const std::vector<uint64_t> sequences = SequencesOf(page);
    if (sequences.empty()) break;
    EXPECT_LE(sequences.size(), 70u);
    all.insert(all.end(), sequences.begin(), sequences.end());
    request.after = page->next;
  }
  ASSERT_EQ(all.size(), 300u);
  EXPECT_EQ(all.front(), 1u);
  EXPECT_EQ(all.back(), 300u);
}

TEST(EventRingTest, AskingForNothingTellsFromWhereToWatch) {
  EventRing ring;
  for (int i = 1; i <= 5; ++i) Tell(ring, EventKind::kSealed, "a");
  const Page page = ReadNow(ring, {.limit = 0, .wait = absl::Seconds(60)});
  EXPECT_THAT(SequencesOf(page), IsEmpty());
  EXPECT_EQ(page->next, 5u);
}

TEST(EventRingTest, OtherKindsAreLeftOutAndSeen) {
  EventRing ring;
  Tell(ring, EventKind::kCreated, "a");
  Tell(ring, EventKind::kSealed, "a");
  Tell(ring, EventKind::kRead, "a");
  Tell(ring, EventKind::kEvicted, "a");
  Tell(ring, EventKind::kCreated, "a");
  EXPECT_THAT(SequencesOf(ReadNow(ring)), ElementsAre(1, 2, 4, 5));
  const EventKinds some = EventKinds::None().With(EventKind::kRead).With(EventKind::kSealed);
  const Page page = ReadNow(ring, {.kinds = some});
  EXPECT_THAT(SequencesOf(page), ElementsAre(2, 3));
  EXPECT_EQ(page->next, 5u);
}

class EventRingWaits : public testing::Test {
 protected:
  void Wait(Pending<Page>& pending, uint64_t operation,
            EventKinds kinds = EventKinds::AllButReads()) {
    EventsRequest request;
    request.after = ring_.last_sequence();
    request.kinds = kinds;
    request.wait = absl::Seconds(60);
    ring_.Read(request, OperationId{operation}, pending.Callback());
  }

  EventRing ring_;
};

TEST_F(EventRingWaits, TheNextEventEndsAllWaits) {
  Pending<Page> one, two;
  Tell(ring_, EventKind::kSealed, "before");
  Wait(one, 1);
  Wait(two, 2);
  EXPECT_FALSE(one.IsDone());
  EXPECT_EQ(ring_.waiting(), 2u);
  Tell(ring_, EventKind::kSealed, "after");
  EXPECT_THAT(SequencesOf(one.Wait()), ElementsAre(2));
  EXPECT_THAT(SequencesOf(two.Wait()), ElementsAre(2));
  EXPECT_EQ(one.Wait()->next, 2u);
  EXPECT_EQ(ring_.waiting(), 0u);
  Tell(ring_, EventKind::kSealed, "later");
  EXPECT_EQ(one.calls(), 1);
}

TEST_F(EventRingWaits, OnlyForWhatWasAskedFor) {
  Pending<Page> evictions;
  Wait(evictions, 1, EventKinds::None().With(EventKind::kEvicted));
  Tell(ring_, EventKind::kSealed, "a");
  EXPECT_FALSE(evictions.IsDone());
  Tell(ring_, EventKind::kEvicted, "a");
  EXPECT_THAT(SequencesOf(evictions.Wait()), ElementsAre(2));
}

TEST_F(EventRingWaits, CancelAnswersWithNothing) {
  Pending<Page> pending;
  Wait(pending, 1, EventKinds::None().With(EventKind::kEvicted));
  Tell(ring_, EventKind::kSealed, "a");
  ring_.Cancel(OperationId{2});
  EXPECT_FALSE(pending.IsDone());
  ring_.Cancel(OperationId{1});
  const Page page = pending.Wait();
  EXPECT_THAT(SequencesOf(page), IsEmpty());
  EXPECT_EQ(page->next, 1u);
  ring_.Cancel(OperationId{1});
  EXPECT_EQ(pending.calls(), 1);
}

TEST(EventRingLimits, TooManyWaitsAreRefused) {
  EventRingOptions options;
  options.max_waiting = 1;
  EventRing ring(options);
  Pending<Page> one, two;
  ring.Read({.wait = absl::Seconds(1)}, OperationId{1}, one.Callback());
  ring.Read({.wait = absl::Seconds(1)}, OperationId{2}, two.Callback());
  EXPECT_THAT(two.Wait(), HasKind(ErrorKind::kCapacity));
  ring.Cancel(OperationId{1});
  EXPECT_TRUE(one.IsDone());
}

TEST(EventRingReads, AreWantedForAWhileAfterSomebodyAsked) {
  FakeClock clock;
  EventRingOptions options;
  options.clock = &clock;
  EventRing ring(options);
  const EventKinds reads = EventKinds::None().With(EventKind::kRead);
  EXPECT_FALSE(ring.WantsReads());
  EXPECT_THAT(ReadNow(ring), IsOk());
  EXPECT_FALSE(ring.WantsReads()) << "who asks for all is not told of reads";
  EXPECT_THAT(ReadNow(ring, {.kinds = reads}), IsOk());
  clock.Advance(options.reads_linger - absl::Nanoseconds(1));
  EXPECT_TRUE(ring.WantsReads());
  clock.Advance(absl::Nanoseconds(1));
  EXPECT_FALSE(ring.WantsReads());

  Pending<Page> waits;
  ring.Read({.kinds = reads, .wait = absl::Hours(1)}, OperationId{1}, waits.Callback());
  clock.Advance(absl::Minutes(59));
  EXPECT_TRUE(ring.WantsReads());
  Tell(ring, EventKind::kRead, "a");
  EXPECT_TRUE(waits.IsDone());
  EXPECT_FALSE(ring.WantsReads());
}

// Whatever readers and writers do at the same time: a reader that keeps up sees every event once,
// in order.
TEST(EventRingThreads, ReadersSeeAllInOrder) {
  constexpr int kWriters = 4;
  constexpr uint64_t kEach = 2000;
  EventRingOptions options;
  options.capacity = kWriters * kEach;
  EventRing ring(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&ring] {
      for (uint64_t n = 0; n < kEach; ++n) Tell(ring, EventKind::kSealed, "a", n);
    });
  }
  for (uint64_t reader = 1; reader <= 2; ++reader) {
    threads.emplace_back([&ring, reader] {
      EventsRequest request;
      request.after = 0;
      request.wait = absl::Seconds(60);
      uint64_t expected = 1;
      for (uint64_t turn = 0; expected <= kWriters * kEach; ++turn) {
        Pending<Page> pending;
        ring.Read(request, OperationId{reader + 2 * turn}, pending.Callback());
        const Page page = pending.Wait();
        for (const uint64_t sequence : SequencesOf(page)) ASSERT_EQ(sequence, expected++);
        ASSERT_THAT(page, IsOk());
        request.after = page->next;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ring.waiting(), 0u);
}

// One that does not keep up learns of it, and never sees an event twice or out of order.
TEST(EventRingThreads, ASlowReaderLearnsOfTheGap) {
  EventRingOptions options;
  options.capacity = 16;
  EventRing ring(options);
  std::thread writer([&ring] {
    for (int i = 0; i < 20000; ++i) Tell(ring, EventKind::kSealed, "a");
  });
  uint64_t seen = 0;
  EventsRequest request;
  while (seen < 20000) {
    const Page page = ReadNow(ring, request);
    if (!page.ok()) {
      ASSERT_THAT(page, HasKind(ErrorKind::kRetentionGap));
      request.after.reset();
      continue;
    }
    for (const EventRecord& event : page->events) {
      ASSERT_GT(event.sequence, seen);
      seen = event.sequence;
    }
    if (page->next > 0) request.after = page->next;
  }
  writer.join();
}

}  // namespace
}  // namespace packice
