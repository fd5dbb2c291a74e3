#include "packice/core/event_sink.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/recording_event_sink.h"

namespace packice {
namespace {

TEST(EventSinkTest, EveryKindHasItsName) {
  EXPECT_EQ(EventKindName(EventKind::kCreated), "created");
  EXPECT_EQ(EventKindName(EventKind::kSealed), "sealed");
  EXPECT_EQ(EventKindName(EventKind::kDiscarded), "discarded");
  EXPECT_EQ(EventKindName(EventKind::kAbandoned), "abandoned");
  EXPECT_EQ(EventKindName(EventKind::kEvicted), "evicted");
  EXPECT_EQ(EventKindName(EventKind::kExpired), "expired");
  EXPECT_EQ(EventKindName(EventKind::kLeaseExpired), "lease_expired");
  for (int i = 0; i <= static_cast<int>(kLastEventKind); ++i) {
    const auto kind = static_cast<EventKind>(i);
    EXPECT_EQ(EventKindFromName(EventKindName(kind)), kind);
  }
  EXPECT_EQ(EventKindFromName("unknown"), absl::nullopt);
}

TEST(RecordingEventSinkTest, KeepsCopiesInOrder) {
  RecordingEventSink sink;
  {
    const ObjectId a = *ObjectId::Parse("a");
    const ObjectId b = *ObjectId::Parse("b");
    sink.Publish({EventKind::kCreated, OperationId{1}, a, 5});
    sink.Publish({EventKind::kCreated, OperationId{2}, b, 6});
    sink.Publish({EventKind::kSealed, OperationId{3}, a, 5});
  }
  ASSERT_EQ(sink.events().size(), 3u);
  EXPECT_EQ(sink.events()[1].object_id, *ObjectId::Parse("b"));
  EXPECT_EQ(sink.events()[1].operation, OperationId{2});
  EXPECT_EQ(sink.events()[1].size, 6u);
  EXPECT_THAT(sink.KindsOf(*ObjectId::Parse("a")),
              testing::ElementsAre(EventKind::kCreated, EventKind::kSealed));
  sink.Clear();
  EXPECT_TRUE(sink.events().empty());
}

TEST(NullEventSinkTest, DropsEverything) {
  const ObjectId a = *ObjectId::Parse("a");
  EventSink::Null().Publish({EventKind::kCreated, OperationId::kNone, a, 0});
}

}  // namespace
}  // namespace packice
