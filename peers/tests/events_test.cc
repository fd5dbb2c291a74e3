// What a LocalPeer tells its EventSink: which events, in which order, because of which operation.
#include <cstdint>
#include <memory>
#include <ostream>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/recording_event_sink.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr SessionId kMine{1};
constexpr uint64_t kCapacity = 1000;

class EventsTest : public testing::Test {
 protected:
  EventsTest() {
    LocalPeerOptions options;
    options.capacity = kCapacity;
    options.background_reaper = false;
    options.clock = &clock_;
    options.random = &random_;
    options.events = &events_;
    peer_ = MakeMemoryPeer(options);
  }

  // An event's kind and operation.
  using Told = std::pair<EventKind, uint64_t>;

  std::vector<Told> ToldOf(absl::string_view id) const {
    std::vector<Told> told;
    for (const RecordedEvent& event : events_.events()) {
      if (event.object_id == Id(id)) {
        told.emplace_back(event.kind, static_cast<uint64_t>(event.operation));
      }
    }
    return told;
  }

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  static AcquireRequest Request(Access access, absl::string_view id, uint64_t operation) {
    AcquireRequest request;
    request.access = access;
    request.object_id = Id(id);
    request.session = kMine;
    request.operation = OperationId{operation};
    return request;
  }
  static AcquireRequest CreateRequest(absl::string_view id, uint64_t size, uint64_t operation) {
    AcquireRequest request = Request(Access::kCreate, id, operation);
    request.blob_sizes = {size};
    return request;
  }
  absl::StatusOr<Grant> Acquire(AcquireRequest request) {
    return blocking::Acquire(*peer_, std::move(request));
  }
  absl::StatusOr<Sealed> Seal(const Grant& grant, uint64_t operation,
                              absl::optional<uint64_t> size = absl::nullopt) {
    SealRequest request;
    request.lease_id = grant.lease.id;
    request.size = size;
    request.session = kMine;
    request.operation = OperationId{operation};
    return blocking::Seal(*peer_, request);
  }
  static LeaseRequest Of(const Grant& grant, uint64_t operation) {
    return {grant.lease.id, kMine, OperationId{operation}};
  }
  absl::Status Put(absl::string_view id, uint64_t size) {
    absl::StatusOr<Grant> grant = Acquire(CreateRequest(id, size, 1));
    if (!grant.ok()) return grant.status();
    if (absl::Status s = Seal(*grant, 1).status(); !s.ok()) return s;
    return blocking::Release(*peer_, Of(*grant, 1));
  }

  FakeClock clock_;
  FakeRandom random_;
  RecordingEventSink events_;
  std::unique_ptr<LocalPeer> peer_;
};

TEST_F(EventsTest, EachEventNamesTheOperationThatCausedIt) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("a", 5, 11)));
  ASSERT_THAT(Seal(creator, 12), IsOk());
  ASSERT_THAT(blocking::Release(*peer_, Of(creator, 13)), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(Request(Access::kWrite, "a", 14)));
  ASSERT_THAT(blocking::Discard(*peer_, Of(writer, 15)), IsOk());
  EXPECT_THAT(ToldOf("a"), ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kSealed, 12),
                                       Told(EventKind::kDiscarded, 15)));
}

TEST_F(EventsTest, EventsTellTheSize) {
  AcquireRequest request = Request(Access::kCreate, "a", 1);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(Seal(creator, 2, 123), IsOk());
  ASSERT_THAT(blocking::Discard(*peer_, Of(creator, 3)), IsOk());
  const std::vector<RecordedEvent> events = events_.events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].size, 0u);
  EXPECT_EQ(events[1].size, 123u);
  EXPECT_EQ(events[2].size, 123u);
}

TEST_F(EventsTest, WhatIsEvictedGoesBeforeWhatItMakesRoomFor) {
  ASSERT_THAT(Put("a", kCapacity / 2), IsOk());
  ASSERT_THAT(Put("b", kCapacity / 2), IsOk());
  events_.Clear();
  ASSERT_THAT(Acquire(CreateRequest("c", kCapacity, 21)), IsOk());
  std::vector<std::tuple<EventKind, ObjectId, OperationId>> told;
  for (const RecordedEvent& event : events_.events()) {
    told.emplace_back(event.kind, event.object_id, event.operation);
  }
  EXPECT_THAT(told, ElementsAre(std::make_tuple(EventKind::kEvicted, Id("a"), OperationId{21}),
                                std::make_tuple(EventKind::kEvicted, Id("b"), OperationId{21}),
                                std::make_tuple(EventKind::kCreated, Id("c"), OperationId{21})));
}

TEST_F(EventsTest, ASealThatNeedsRoomIsTheCauseOfTheEviction) {
  ASSERT_THAT(Put("a", kCapacity), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(Request(Access::kCreate, "b", 31)));
  events_.Clear();
  ASSERT_THAT(Seal(creator, 32, 10), IsOk());
  EXPECT_THAT(ToldOf("a"), ElementsAre(Told(EventKind::kEvicted, 32)));
  EXPECT_THAT(ToldOf("b"), ElementsAre(Told(EventKind::kSealed, 32)));
}

TEST_F(EventsTest, ACreatorThatReleasesAbandons) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("a", 5, 11)));
  ASSERT_THAT(blocking::Release(*peer_, Of(creator, 12)), IsOk());
  ASSERT_THAT(blocking::Release(*peer_, Of(creator, 13)), IsOk());
  EXPECT_THAT(ToldOf("a"),
              ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kAbandoned, 12)));
}

TEST_F(EventsTest, WhatTimeCausesHasNoOperation) {
  AcquireRequest request = CreateRequest("a", 5, 11);
  request.ttl = absl::Seconds(10);
  ASSERT_THAT(Acquire(request), IsOk());
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  EXPECT_THAT(ToldOf("a"),
              ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kLeaseExpired, 0),
                          Told(EventKind::kAbandoned, 0)));
}

TEST_F(EventsTest, TheEndOfASessionAbandons) {
  ASSERT_THAT(Acquire(CreateRequest("a", 5, 11)), IsOk());
  peer_->EndSession(kMine);
  EXPECT_THAT(ToldOf("a"),
              ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kAbandoned, 0)));
}

TEST_F(EventsTest, AnObjectsOwnTtlExpiresIt) {
  AcquireRequest request = CreateRequest("a", 5, 11);
  request.object_ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(Seal(creator, 12), IsOk());
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  // It stays with its creator, and ends no second time.
  ASSERT_THAT(blocking::Discard(*peer_, Of(creator, 13)), IsOk());
  EXPECT_THAT(ToldOf("a"), ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kSealed, 12),
                                       Told(EventKind::kExpired, 0)));
}

TEST_F(EventsTest, ALeaseOnASealedObjectExpiresAlone) {
  ASSERT_THAT(Put("a", 5), IsOk());
  events_.Clear();
  AcquireRequest request = Request(Access::kRead, "a", 11);
  request.ttl = absl::Seconds(10);
  ASSERT_THAT(Acquire(request), IsOk());
  clock_.Advance(absl::Seconds(11));
  peer_->RunDue();
  EXPECT_THAT(ToldOf("a"), ElementsAre(Told(EventKind::kLeaseExpired, 0)));
}

TEST_F(EventsTest, WhatWasNeverCreatedIsNotTold) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("a", kCapacity, 11)));
  EXPECT_THAT(Acquire(CreateRequest("b", 1, 12)), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(ToldOf("b"), IsEmpty());
}

TEST_F(EventsTest, ACreateThatWaitedTellsItsOwnOperation) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(CreateRequest("a", 1, 11)));
  AcquireRequest next = CreateRequest("a", 2, 12);
  next.wait = absl::Hours(1);
  bool granted = false;
  peer_->Acquire(next, [&](const absl::StatusOr<Grant>& grant) { granted = grant.ok(); });
  ASSERT_THAT(blocking::Release(*peer_, Of(creator, 13)), IsOk());
  EXPECT_TRUE(granted);
  EXPECT_THAT(ToldOf("a"),
              ElementsAre(Told(EventKind::kCreated, 11), Told(EventKind::kAbandoned, 13),
                          Told(EventKind::kCreated, 12)));
}

TEST_F(EventsTest, ReadsAreToldToWhoWantsThem) {
  ASSERT_THAT(Put("a", 5), IsOk());
  events_.Clear();
  events_.WantReads();
  ASSERT_THAT(Acquire(Request(Access::kRead, "a", 11)), IsOk());
  AcquireRequest quiet = Request(Access::kRead, "a", 12);
  quiet.quiet = true;
  ASSERT_THAT(Acquire(quiet), IsOk());
  ASSERT_THAT(Acquire(Request(Access::kRead, "b", 13)), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(ToldOf("a"), ElementsAre(Told(EventKind::kRead, 11)));
  EXPECT_EQ(events_.events().size(), 1u);
  EXPECT_EQ(events_.events()[0].size, 5u);
}

TEST_F(EventsTest, ReadsAreNotTold) {
  ASSERT_THAT(Put("a", 5), IsOk());
  events_.Clear();
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Request(Access::kRead, "a", 11)));
  ASSERT_THAT(blocking::Release(*peer_, Of(reader, 12)), IsOk());
  EXPECT_THAT(events_.events(), IsEmpty());
}

}  // namespace
}  // namespace packice
