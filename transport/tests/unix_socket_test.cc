// What the transport asks of Unix sockets: who is at the other end, and descriptors that ride with
// bytes.
#include "unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    here_.Reset(ends[0]);
    there_.Reset(ends[1]);
  }

  // What one recvmsg gets; `descriptors` gets what came with it.
  std::string Receive(std::vector<UniqueFd>& descriptors) {
    std::string bytes(100, '\0');
    const ssize_t n = ReceiveWithDescriptors(there_.get(), absl::MakeSpan(&bytes[0], bytes.size()),
                                             descriptors, MSG_DONTWAIT);
    EXPECT_GE(n, 0);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    return bytes;
  }

  UniqueFd here_;
  UniqueFd there_;
};

TEST_F(UnixSocketTest, TellsWhoIsAtTheOtherEnd) {
  EXPECT_THAT(PeerUid(here_.get()), IsOkAndHolds(geteuid()));
  EXPECT_THAT(PeerUid(UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)).get()),
              HasKind(ErrorKind::kIo));
}

TEST(IsServedUidTest, AUserIsServedByTheirOwnNodeAndRootByAll) {
  EXPECT_TRUE(IsServedUid(/*peer=*/1000, /*own=*/1000));
  EXPECT_TRUE(IsServedUid(/*peer=*/0, /*own=*/1000));
  EXPECT_TRUE(IsServedUid(/*peer=*/0, /*own=*/0));
  EXPECT_FALSE(IsServedUid(/*peer=*/1000, /*own=*/0));
  EXPECT_FALSE(IsServedUid(/*peer=*/1000, /*own=*/1001));
  EXPECT_FALSE(IsServedUid(/*peer=*/65534, /*own=*/1000));
}

TEST_F(UnixSocketTest, DescriptorsRideWithBytes) {
  const std::vector<int> sent(kMaxDescriptorsPerMessage, here_.get());
  EXPECT_EQ(SendWithDescriptors(here_.get(), "bytes", sent, 0), 5);
  EXPECT_EQ(SendWithDescriptors(here_.get(), "more", {}, 0), 4);
  std::vector<UniqueFd> received;
  EXPECT_EQ(Receive(received), "bytes");
  ASSERT_EQ(received.size(), sent.size());
  for (const UniqueFd& fd : received) {
    ASSERT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0) << "no program started gets them";
  }
  EXPECT_EQ(Receive(received), "more");
  EXPECT_EQ(received.size(), sent.size());
}

TEST_F(UnixSocketTest, FailuresAreErrnos) {
  std::vector<UniqueFd> none;
  char byte;
  EXPECT_EQ(ReceiveWithDescriptors(here_.get(), absl::MakeSpan(&byte, 1), none, MSG_DONTWAIT),
            -EAGAIN);
  there_.Reset();
  EXPECT_EQ(SendWithDescriptors(here_.get(), "bytes", {}, 0), -EPIPE);
  EXPECT_EQ(ReceiveWithDescriptors(here_.get(), absl::MakeSpan(&byte, 1), none, 0), 0);
}

TEST(UnixSocketPathTest, HasOneTo107Bytes) {
  bool replaced;
  EXPECT_THAT(ListenUnix("", &replaced), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ListenUnix("/tmp/" + std::string(103, 'x'), &replaced),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ConnectUnix("/tmp/" + std::string(103, 'x')), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ConnectUnix("/tmp/" + std::string(102, 'x')), HasKind(ErrorKind::kUnavailable));
}

}  // namespace
}  // namespace packice
