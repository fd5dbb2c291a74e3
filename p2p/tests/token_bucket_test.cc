#include "token_bucket.h"

#include <gtest/gtest.h>

namespace packice {
namespace {

constexpr Instant kStart = absl::Hours(1);

TEST(TokenBucket, WithoutARateEverythingPasses) {
  TokenBucket bucket(absl::nullopt, kStart);
  bucket.Take(1 << 30, kStart);
  EXPECT_TRUE(bucket.Ready(kStart));
}

TEST(TokenBucket, WhatIsLargerThanTheBucketPassesAndIsPaidForAfterwards) {
  TokenBucket bucket(1000, kStart);
  EXPECT_TRUE(bucket.Ready(kStart));
  bucket.Take(2000, kStart);
  EXPECT_FALSE(bucket.Ready(kStart + absl::Seconds(1)));
  EXPECT_TRUE(bucket.Ready(kStart + absl::Seconds(2)));
}

TEST(TokenBucket, IsReadyWhenItSaysSo) {
  TokenBucket bucket(777, kStart);
  bucket.Take(12345, kStart);
  const Instant at = bucket.ReadyAt(kStart);
  EXPECT_FALSE(bucket.Ready(at - absl::Milliseconds(1)));
  EXPECT_TRUE(bucket.Ready(at));
}

TEST(TokenBucket, KeepsToItsRateInTheLongRun) {
  TokenBucket bucket(1'000'000, kStart);
  Instant now = kStart;
  uint64_t passed = 0;
  while (now < kStart + absl::Seconds(10)) {
    now = bucket.ReadyAt(now);
    bucket.Take(10'000, now);
    passed += 10'000;
  }
  EXPECT_NEAR(static_cast<double>(passed), 10e6, 0.1e6);
}

TEST(TokenBucket, SavesUpNoMoreThanABurst) {
  TokenBucket bucket(1000, kStart);
  const Instant later = kStart + absl::Hours(1);
  bucket.Take(100, later);
  EXPECT_FALSE(bucket.Ready(later));
}

}  // namespace
}  // namespace packice
