#include "medium_threads.h"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/latch.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

TEST(MediumThreadsTest, StartsNoThreadBeforeThereIsWork) {
  MediumThreads threads("disk", 4);
  threads.AwaitIdle();
  EXPECT_EQ(threads.threads(), 0u);
}

TEST(MediumThreadsTest, OneThreadRunsTasksInTheOrderInWhichTheyCame) {
  MediumThreads threads("disk", 1);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) threads.Run([&order, i] { order.push_back(i); });
  threads.AwaitIdle();
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(threads.threads(), 1u);
}

TEST(MediumThreadsTest, TasksThatBlockHoldUpNobodyUntilAllThreadsDo) {
  MediumThreads threads("disk", 3);
  Latch first;
  Latch second;
  Latch third;
  // Each needs the next one to get anywhere.
  threads.Run([&] { second.Wait(), first.Set(); });
  threads.Run([&] { third.Wait(), second.Set(); });
  threads.Run([&] { third.Set(); });
  first.Wait();
  threads.AwaitIdle();
  EXPECT_LE(threads.threads(), 3u);
}

TEST(MediumThreadsTest, ThereAreNeverMoreThanWereAllowed) {
  MediumThreads threads("disk", 2);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 1000; ++i) {
    threads.Run([&] {
      const int now = running.fetch_add(1) + 1;
      if (now > most.load()) most.store(now);
      running.fetch_sub(1);
    });
  }
  threads.AwaitIdle();
  EXPECT_LE(most.load(), 2);
  EXPECT_LE(threads.threads(), 2u);
}

TEST(MediumThreadsTest, TheEndWaitsForEveryTaskAndForWhatTasksHandOver) {
  std::atomic<int> runs{0};
  {
    MediumThreads threads("disk", 4);
    for (int i = 0; i < 50; ++i) {
      threads.Run([&] { threads.Run([&] { threads.Run([&] { runs.fetch_add(1); }); }); });
    }
  }
  EXPECT_EQ(runs.load(), 50);
}

TEST(MediumThreadsTest, AThreadBearsItsName) {
  MediumThreads threads("disk", 4);
  std::string name(16, '\0');
  threads.Run([&] { pthread_getname_np(pthread_self(), name.data(), name.size()); });
  threads.AwaitIdle();
  EXPECT_STREQ(name.c_str(), "disk-0");
}

TEST(MediumThreadsTest, WhatATaskHoldsIsGoneOnceAllIsQuiet) {
  MediumThreads threads("disk", 2);
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = held;
  threads.Run([held = std::move(held)] {});
  threads.AwaitIdle();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace packice
