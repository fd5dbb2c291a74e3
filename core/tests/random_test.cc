#include "packice/core/random.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/fake_random.h"

namespace packice {
namespace {

using Bytes = std::array<uint8_t, 32>;

Bytes Draw(RandomSource& random) {
  Bytes bytes{};
  random.Fill(absl::MakeSpan(bytes));
  return bytes;
}

TEST(SystemRandomTest, DrawsDoNotRepeat) {
  std::set<Bytes> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(Draw(RandomSource::System()));
  EXPECT_EQ(drawn.size(), 1000u);
}

TEST(SystemRandomTest, FillsAllOfAnySize) {
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{15}, size_t{4095}, size_t{4096}, size_t{10'000}}) {
    // A byte may be drawn as zero, but not in each of eight fills.
    std::vector<uint8_t> seen(size, 0);
    for (int i = 0; i < 8; ++i) {
      std::vector<uint8_t> bytes(size, 0);
      RandomSource::System().Fill(absl::MakeSpan(bytes));
      for (size_t b = 0; b < size; ++b) seen[b] = static_cast<uint8_t>(seen[b] | bytes[b]);
    }
    EXPECT_THAT(seen, testing::Each(testing::Ne(0))) << size;
  }
}

TEST(SystemRandomTest, ThreadsDrawDifferently) {
  std::vector<Bytes> drawn(4);
  std::vector<std::thread> threads;
  for (Bytes& bytes : drawn) {
    threads.emplace_back([&bytes] { bytes = Draw(RandomSource::System()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<Bytes>(drawn.begin(), drawn.end()).size(), drawn.size());
}

// A child that repeats its parent's bytes would grant the same lease ids.
TEST(SystemRandomTest, AForkedChildDoesNotRepeatItsParentsBytes) {
  Draw(RandomSource::System());  // now there is something read ahead
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Bytes bytes = Draw(RandomSource::System());
    const bool sent = write(pipe_fds[1], bytes.data(), bytes.size()) == ssize_t{sizeof(bytes)};
    _exit(sent ? 0 : 1);
  }
  const Bytes mine = Draw(RandomSource::System());
  Bytes childs{};
  EXPECT_EQ(read(pipe_fds[0], childs.data(), childs.size()), ssize_t{sizeof(childs)});
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_NE(mine, childs);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(FakeRandomTest, RepeatsItself) {
  FakeRandom first(7);
  FakeRandom second(7);
  FakeRandom other(8);
  const Bytes bytes = Draw(first);
  EXPECT_EQ(bytes, Draw(second));
  EXPECT_NE(bytes, Draw(first));
  EXPECT_NE(bytes, Draw(other));
}

}  // namespace
}  // namespace packice
