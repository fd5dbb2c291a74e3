#include "packice/core/latch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace packice {
namespace {

TEST(LatchTest, IsSetOnceAndForAll) {
  Latch latch;
  EXPECT_FALSE(latch.IsSet());
  latch.Set();
  EXPECT_TRUE(latch.IsSet());
  latch.Set();
  EXPECT_TRUE(latch.IsSet());
  latch.Wait();
}

TEST(LatchTest, ReleasesEveryWaiter) {
  Latch latch;
  std::atomic<int> released{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      latch.Wait();
      released.fetch_add(1);
    });
  }
  EXPECT_EQ(released.load(), 0);
  latch.Set();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(released.load(), 4);
}

TEST(LatchTest, WhatHappenedBeforeSetIsSeenAfterWait) {
  for (int round = 0; round < 200; ++round) {
    Latch latch;
    int value = 0;
    std::thread setter([&] {
      value = 42;
      latch.Set();
    });
    latch.Wait();
    EXPECT_EQ(value, 42);
    setter.join();
  }
}

// A sanitizer sees it if Set still touches the latch by then.
TEST(LatchTest, TheWaiterMayDestroyItAtOnce) {
  for (int round = 0; round < 200; ++round) {
    auto latch = std::make_unique<Latch>();
    std::thread setter([&latch = *latch] { latch.Set(); });
    if (round % 2 == 0) {
      latch->Wait();
    } else {
      while (!latch->IsSet()) std::this_thread::yield();
    }
    latch.reset();
    setter.join();
  }
}

}  // namespace
}  // namespace packice
