#include "uplink.h"

#include <gtest/gtest.h>

namespace packice {
namespace {

constexpr Instant kStart = absl::Hours(1);
constexpr LinkId kLink{1};

TEST(Uplink, SendsOnePieceAtATime) {
  Uplink uplink;
  EXPECT_TRUE(uplink.HasRoom(kStart));
  uplink.Begin({kLink, 1, 0, 1000, kStart});
  EXPECT_FALSE(uplink.HasRoom(kStart));
  EXPECT_EQ(uplink.End(kLink, 1, 0, kStart + absl::Milliseconds(1)), 1000u);
  EXPECT_TRUE(uplink.HasRoom(kStart + absl::Milliseconds(1)));
}

TEST(Uplink, APieceThatItsReaderHoldsUpMakesRoomForAnother) {
  Uplink uplink;
  uplink.Begin({kLink, 1, 0, 1000, kStart});
  const Instant now = kStart + absl::Milliseconds(1);
  uplink.End(kLink, 1, 0, now);
  uplink.Begin({kLink, 1, 1, 1000, now});
  EXPECT_FALSE(uplink.HasRoom(now + absl::Milliseconds(1)));
  EXPECT_TRUE(uplink.HasRoom(uplink.RoomBy(now)));
  EXPECT_LE(uplink.RoomBy(now), now + absl::Milliseconds(3));
}

TEST(Uplink, OneLinkHasFewPlaces) {
  Uplink uplink;
  uint32_t piece = 0;
  for (; !uplink.SendsMost(kLink); ++piece) uplink.Begin({kLink, 1, piece, 1000, kStart});
  EXPECT_GE(piece, 2u);
  EXPECT_LE(piece, 8u);
  EXPECT_FALSE(uplink.SendsMost(LinkId{2}));
  EXPECT_TRUE(uplink.HasRoom(kStart + absl::Seconds(1))) << "others are served";
}

TEST(Uplink, ForgetsWhatWasOnALinkThatIsGone) {
  Uplink uplink;
  uplink.Begin({kLink, 1, 0, 1000, kStart});
  uplink.Drop(kLink, kStart);
  EXPECT_EQ(uplink.sending(), 0u);
  EXPECT_EQ(uplink.End(kLink, 1, 0, kStart), 0u);
}

TEST(Uplink, IsLoadedByTheTimeThatItIsBusy) {
  Uplink uplink;
  EXPECT_EQ(uplink.Load(kStart), 0);
  uplink.Begin({kLink, 1, 0, 1000, kStart});
  EXPECT_GT(uplink.Load(kStart + absl::Seconds(2)), 0.5);
  uplink.End(kLink, 1, 0, kStart + absl::Seconds(2));
  EXPECT_LT(uplink.Load(kStart + absl::Seconds(30)), 0.01);
}

}  // namespace
}  // namespace packice
