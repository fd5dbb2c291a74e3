#include "packice/core/clock.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_clock.h"

namespace packice {
namespace {

TEST(SystemClockTest, NeverGoesBack) {
  Instant last = Clock::System().Now();
  for (int i = 0; i < 10'000; ++i) {
    const Instant now = Clock::System().Now();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_LT(last, absl::InfiniteDuration());
}

TEST(SystemClockTest, WallTimeIsTheHosts) {
  const absl::Time before = absl::Now();
  const absl::Time now = Clock::System().WallTime();
  EXPECT_GE(now, before - absl::Hours(1));
  EXPECT_LE(now, before + absl::Hours(1));
}

TEST(FakeClockTest, StandsStillUntilMoved) {
  FakeClock clock;
  const Instant start = clock.Now();
  const absl::Time wall = clock.WallTime();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
  EXPECT_EQ(clock.WallTime() - wall, absl::Seconds(5));
}

TEST(FakeClockTest, WallTimeMayJumpWithoutTheOther) {
  FakeClock clock;
  const Instant start = clock.Now();
  const absl::Time wall = clock.WallTime();
  clock.JumpWallTime(-absl::Hours(2));
  EXPECT_EQ(clock.Now(), start);
  EXPECT_EQ(wall - clock.WallTime(), absl::Hours(2));
}

}  // namespace
}  // namespace packice
