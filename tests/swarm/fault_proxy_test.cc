// FaultProxy does to a connection what it says, and the same for the same seed.
#include "fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 11));
  return bytes;
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Sends `bytes` to each who connects, then ends.
class Sender {
 public:
  explicit Sender(std::string bytes)
      : bytes_(std::move(bytes)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Sender() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve() {
    while (true) {
      const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      size_t sent = 0;
      while (sent < bytes_.size()) {
        const ssize_t n =
            send(client.get(), bytes_.data() + sent, bytes_.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
    }
  }

  const std::string bytes_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

struct Received {
  std::string bytes;
  bool in_good_order = false;  // it ended as the sender meant it to
  absl::Duration first;        // until the first byte
  absl::Duration all;
};

class FaultProxyTest : public testing::Test {
 protected:
  void Start(size_t bytes, Faults faults, uint64_t seed = 1) {
    proxy_.reset();
    sender_ = std::make_unique<Sender>(Pattern(bytes));
    absl::StatusOr<std::unique_ptr<FaultProxy>> proxy =
        FaultProxy::Start("127.0.0.1:0", sender_->address(), seed);
    ASSERT_THAT(proxy, IsOk());
    proxy_ = *std::move(proxy);
    proxy_->Set(faults);
  }
  UniqueFd Connect() {
    uint32_t port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(proxy_->address().substr(10), &port));
    UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = Loopback(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    return client;
  }
  Received Receive(absl::Duration patience = absl::Seconds(30)) {
    const absl::Time start = absl::Now();
    const UniqueFd client = Connect();
    const timeval timeout = absl::ToTimeval(patience);
    setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    Received received;
    char bytes[65536];
    while (true) {
      const ssize_t n = recv(client.get(), bytes, sizeof(bytes), 0);
      received.in_good_order = n == 0;
      if (n <= 0) break;
      if (received.bytes.empty()) received.first = absl::Now() - start;
      received.bytes.append(bytes, static_cast<size_t>(n));
    }
    received.all = absl::Now() - start;
    return received;
  }

  std::unique_ptr<Sender> sender_;
  std::unique_ptr<FaultProxy> proxy_;
};

TEST_F(FaultProxyTest, WithoutFaultsItPassesEverythingOn) {
  Start(10'000'000, {});
  const Received received = Receive();
  EXPECT_TRUE(received.bytes == Pattern(10'000'000));
  EXPECT_TRUE(received.in_good_order);
  EXPECT_EQ(proxy_->counts().cuts, 0u);
}

TEST_F(FaultProxyTest, ItDelays) {
  Start(1'000'000, {.delay = absl::Milliseconds(200)});
  const Received received = Receive();
  EXPECT_TRUE(received.bytes == Pattern(1'000'000));
  EXPECT_GE(received.first, absl::Milliseconds(200));
}

TEST_F(FaultProxyTest, ItIsNoFasterThanItsRate) {
  Start(2'000'000, {.bytes_per_second = 4'000'000});
  const Received received = Receive();
  EXPECT_TRUE(received.bytes == Pattern(2'000'000));
  EXPECT_GE(received.all, absl::Milliseconds(450));
  EXPECT_LE(received.all, absl::Milliseconds(1500));
}

TEST_F(FaultProxyTest, ItFlipsTheSameBitsForTheSameSeed) {
  const Faults faults = {.flip_every = 100'000};
  std::string first;
  for (int i = 0; i < 2; ++i) {
    Start(3'000'000, faults);
    const Received received = Receive();
    ASSERT_EQ(received.bytes.size(), 3'000'000u);
    const std::string sent = Pattern(3'000'000);
    uint64_t wrong = 0;
    for (size_t at = 0; at < sent.size(); ++at) wrong += received.bytes[at] != sent[at];
    EXPECT_GE(wrong, 15u);
    EXPECT_LE(wrong, 60u);
    EXPECT_EQ(wrong, proxy_->counts().flips);
    if (i == 0) first = received.bytes;
    EXPECT_TRUE(received.bytes == first);
  }
  Start(3'000'000, faults, /*seed=*/2);
  EXPECT_FALSE(Receive().bytes == first);
}

TEST_F(FaultProxyTest, ItStallsAsIfAPacketWereLost) {
  Start(1'000'000, {.stall_every = 200'000, .stall = absl::Milliseconds(50)});
  const Received received = Receive();
  EXPECT_TRUE(received.bytes == Pattern(1'000'000));
  const FaultCounts counts = proxy_->counts();
  EXPECT_GE(counts.stalls, 2u);
  EXPECT_GE(received.all, absl::Milliseconds(50) * static_cast<double>(counts.stalls) * 0.9);
}

TEST_F(FaultProxyTest, ItCutsAfterSoManyBytes) {
  Start(1'000'000, {.cut_after = 123'456});
  const Received received = Receive();
  EXPECT_TRUE(received.bytes == Pattern(1'000'000).substr(0, 123'456));
  EXPECT_FALSE(received.in_good_order);
  EXPECT_EQ(proxy_->counts().cuts, 1u);
}

TEST_F(FaultProxyTest, ItResetsAtRandom) {
  Start(10'000'000, {.reset_every = 500'000});
  const Received received = Receive();
  EXPECT_LE(received.bytes.size(), 1'000'000u);
  EXPECT_FALSE(received.in_good_order);
}

TEST_F(FaultProxyTest, ItCutsWhatThereIsWhenTold) {
  Start(1'000'000, {.silent = true});
  const UniqueFd client = Connect();
  proxy_->Set({.delay = absl::Hours(1)});
  while (proxy_->counts().connections == 0) std::this_thread::yield();
  proxy_->CutAll();
  char byte;
  EXPECT_EQ(recv(client.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(FaultProxyTest, SilentItTakesConnectionsAndSaysNothing) {
  Start(1'000'000, {.silent = true});
  const Received received = Receive(absl::Milliseconds(200));
  EXPECT_EQ(received.bytes, "");
  EXPECT_FALSE(received.in_good_order);
  // And goes on where it was, when it is itself again.
  proxy_->Set({});
  EXPECT_TRUE(Receive().bytes == Pattern(1'000'000));
}

TEST_F(FaultProxyTest, NobodyBehindItIsAReset) {
  Start(1, {});
  sender_.reset();
  EXPECT_FALSE(Receive().in_good_order);
}

}  // namespace
}  // namespace packice
