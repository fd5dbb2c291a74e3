// One connection of a client, with a node that the test speaks for: in which order answers are
// handed out, and who may let go of the connection.
#include "uds_channel.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/error.h"
#include "packice/core/testing/status_matchers.h"
#include "uds_answers.h"

namespace packice {
namespace {

using testing::ElementsAre;

constexpr char kReleased[] = "{\"status\":\"released\"}\n";

class UdsChannelTest : public testing::Test {
 protected:
  UdsChannelTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    node_.Reset(ends[1]);
    channel_ = std::make_shared<UdsChannel>(UniqueFd(ends[0]), absl::Minutes(1));
  }

  static UdsChannel::Call Release(UdsChannel::Answered answered) {
    UdsChannel::Call call;
    call.request.op = Op::kRelease;
    call.request.body = LeaseRequest();
    call.answered = std::move(answered);
    return call;
  }
  void Say(absl::string_view bytes) const {
    EXPECT_EQ(send(node_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  bool IsAllRead() const {
    int unread = -1;
    return ioctl(node_.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
  }
  // Until `bytes` have come.
  void Take(size_t bytes) const {
    std::vector<char> buffer(1 << 16);
    while (bytes > 0) {
      const ssize_t n = read(node_.get(), buffer.data(), std::min(buffer.size(), bytes));
      ASSERT_GT(n, 0);
      bytes -= static_cast<size_t>(n);
    }
  }

  UniqueFd node_;
  std::shared_ptr<UdsChannel> channel_;
};

// One thread cannot get rid of a large request, and reads what comes meanwhile.
TEST_F(UdsChannelTest, AnswersAreHandedOutInTheirOrderWhoeverReadsThem) {
  std::vector<int> order;
  Latch first, second, sent;
  std::vector<UdsChannel::Call> calls;
  calls.push_back(Release([&](absl::StatusOr<Reply>, UdsChannel::Attached&) {
    order.push_back(1);
    first.Set();
  }));
  calls.push_back(Release([&](absl::StatusOr<Reply>, UdsChannel::Attached&) {
    order.push_back(2);
    second.Set();
  }));
  const std::string bytes(8 << 20, 'x');
  std::thread sender, waiter;
  channel_->Await(
      [&] {
        channel_->Send(absl::MakeSpan(calls));
        sender = std::thread([&] {
          UdsChannel::Call large = Release(nullptr);
          large.payload = {bytes};
          channel_->Send(absl::MakeSpan(&large, 1));
        });
        // The sender alone reads: this thread, which awaits, has not begun to.
        Say(kReleased);
        while (!IsAllRead()) std::this_thread::yield();
        Say(kReleased);
        waiter = std::thread([&] {
          while (!IsAllRead()) std::this_thread::yield();
          Take(bytes.size());
        });
      },
      second);
  sender.join();
  waiter.join();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_F(UdsChannelTest, ACallbackMayDropTheChannel) {
  Latch dropped;
  UdsChannel::Call call = Release([&](absl::StatusOr<Reply>, UdsChannel::Attached&) {
    channel_.reset();
    dropped.Set();
  });
  const std::shared_ptr<const NodeConnection> connection = channel_->connection();
  ASSERT_TRUE(channel_->Send(absl::MakeSpan(&call, 1)));
  Say(kReleased);
  dropped.Wait();
  while (connection.use_count() > 1) std::this_thread::yield();
}

TEST_F(UdsChannelTest, ACallbackOfAFailureMayDropTheChannel) {
  Latch dropped;
  UdsChannel::Call call = Release([&](absl::StatusOr<Reply> reply, UdsChannel::Attached&) {
    EXPECT_THAT(reply.status(), HasKind(ErrorKind::kUnavailable));
    channel_.reset();
    dropped.Set();
  });
  const std::shared_ptr<const NodeConnection> connection = channel_->connection();
  ASSERT_TRUE(channel_->Send(absl::MakeSpan(&call, 1)));
  node_.Reset();
  dropped.Wait();
  while (connection.use_count() > 1) std::this_thread::yield();
}

TEST_F(UdsChannelTest, ACallbackThatEndsTheChannelHasTheOthersRunFirst) {
  std::vector<std::string> told;
  Latch done;
  std::vector<UdsChannel::Call> calls;
  calls.push_back(Release([&](absl::StatusOr<Reply>, UdsChannel::Attached&) {
    channel_->End();
    told.emplace_back("ended");
    done.Set();
  }));
  for (int i = 0; i < 2; ++i) {
    calls.push_back(Release([&](absl::StatusOr<Reply> reply, UdsChannel::Attached&) {
      told.emplace_back(reply.ok() ? "answered" : "unanswered");
    }));
  }
  channel_->Await(
      [&] {
        channel_->Send(absl::MakeSpan(calls));
        Say(std::string(kReleased) + kReleased);
      },
      done);
  EXPECT_THAT(told, ElementsAre("unanswered", "answered", "ended"));
}

// The node may have seen the end of the connection, and use the bytes of its leases again.
TEST_F(UdsChannelTest, NothingInSharedMemoryIsGrantedOnceTheChannelIsBroken) {
  UdsChannel::Attached attached;
  attached.channel = channel_.get();
  channel_->End();
  GrantReply reply;
  reply.object_id = *ObjectId::Parse("a");
  reply.state = ObjectState::kSealed;
  reply.handles.push_back(SegmentHandle{1, 0, 10, absl::nullopt, 0});
  std::shared_ptr<SegmentHold> hold;
  EXPECT_THAT(MakeGrant(reply, SessionId::kNone, /*declared=*/true, attached, hold),
              HasKind(ErrorKind::kUnavailable));
}

}  // namespace
}  // namespace packice
