// 10,000 idle links to one node: the dialling half lives in a process of its own, because both
// halves would not fit into the descriptors that one may have.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "asio_network.h"
#include "packice/core/unique_fd.h"
#include "scripted_node.h"

namespace packice {
namespace {

constexpr size_t kLinks = 10'000;
constexpr size_t kMaxBytesEach = 4096;

// What this process has in memory, in bytes.
size_t Resident() {
  size_t pages = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Dials the node until it has all its links, a few at a time, and keeps them until `ends` is
// closed.
[[noreturn]] void Crowd(const std::string& address, int ends) {
  {
    ScriptedNode crowd({}, "");
    size_t dialled = 0;
    const auto dial = [&](LinkId) {
      if (++dialled <= kLinks) crowd.network().Dial(address);
    };
    crowd.on_up = dial;
    crowd.network().Post([&] {
      for (int i = 0; i < 100; ++i) dial({});
    });
    char byte;
    if (read(ends, &byte, 1) < 0) _exit(1);
  }
  _exit(0);
}

TEST(AsioNetworkCrowd, IdleLinksAreCheap) {
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GT(limit.rlim_cur, kLinks + 100) << "too few descriptors for this test";

  // The child is made before there is any thread; it hears of the address through a pipe.
  int addresses[2];
  int ends[2];
  ASSERT_EQ(pipe(addresses), 0);
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(addresses[1]);
    close(ends[1]);
    char text[64] = {};
    if (read(addresses[0], text, sizeof(text) - 1) <= 0) _exit(1);
    Crowd(text, ends[0]);
  }
  close(addresses[0]);
  close(ends[0]);
  UniqueFd end_of_crowd(ends[1]);

  ScriptedNode node;
  const size_t before = Resident();
  ASSERT_EQ(write(addresses[1], node.address().data(), node.address().size()),
            static_cast<ssize_t>(node.address().size()));
  close(addresses[1]);
  EXPECT_TRUE(node.Await([](const auto& told) { return told.accepted.size() == kLinks; }));
  EXPECT_EQ(node.network().links(), kLinks);
  const size_t each = (Resident() - before) / kLinks;
  RecordProperty("bytes_per_link", static_cast<int>(each));
  std::printf("%zu bytes of memory for each idle link\n", each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(each, kMaxBytesEach);
#endif

  // Among so many, a link that has something to say is heard at once.
  ScriptedNode one;
  one.Dial(node.address());
  EXPECT_TRUE(one.AwaitUp());

  end_of_crowd.Reset();
  EXPECT_TRUE(node.Await([](const auto& told) { return told.down.size() == kLinks; }));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace packice
