#include "packice/core/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace packice {
namespace {

UniqueFd Open() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFdTest, IsEmptyByDefault) {
  const UniqueFd fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
}

TEST(UniqueFdTest, ClosesWhenItGoes) {
  int raw = -1;
  {
    const UniqueFd fd = Open();
    ASSERT_TRUE(fd);
    raw = fd.get();
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFdTest, MovesItsDescriptor) {
  UniqueFd first = Open();
  const int raw = first.get();
  UniqueFd second(std::move(first));
  EXPECT_EQ(second.get(), raw);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
  UniqueFd third = Open();
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_EQ(third.get(), raw);
  EXPECT_FALSE(IsOpen(replaced));
  UniqueFd& same = third;
  third = std::move(same);
  EXPECT_EQ(third.get(), raw);
  EXPECT_TRUE(IsOpen(raw));
}

TEST(UniqueFdTest, ReleaseGivesItAway) {
  UniqueFd fd = Open();
  UniqueFd other(fd.Release());
  EXPECT_FALSE(fd);
  EXPECT_TRUE(IsOpen(other.get()));
  const int raw = other.get();
  other.Reset();
  EXPECT_FALSE(other);
  EXPECT_FALSE(IsOpen(raw));
}

}  // namespace
}  // namespace packice
