// The lab's hosts reach one another, at the rate they were given, and not where they were cut off.
#include "network_lab.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lab_process.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr uint16_t kPort = 5555;
constexpr uint64_t kRate = 200'000'000;  // bits a second

sockaddr_in At(const std::string& address) {
  sockaddr_in parsed = {};
  parsed.sin_family = AF_INET;
  parsed.sin_port = htons(kPort);
  inet_pton(AF_INET, address.c_str(), &parsed.sin_addr);
  return parsed;
}

class NetworkLabTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<NetworkLab>> lab = NetworkLab::Make();
    ASSERT_THAT(lab, IsOk());
    lab_ = *std::move(lab);
  }
  NetworkLab::Host Add(absl::optional<uint64_t> rate = absl::nullopt) {
    const absl::StatusOr<NetworkLab::Host> host = lab_->AddHost(rate);
    EXPECT_THAT(host, IsOk());
    return *host;
  }

  UniqueFd ListenOn(NetworkLab::Host host) {
    const NetworkScope there = lab_->Enter(host);
    UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = At(NetworkLab::AddressOf(host));
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(listen(listener.get(), 16), 0);
    return listener;
  }
  // Empty where nobody answers for a second.
  UniqueFd Connect(NetworkLab::Host from, NetworkLab::Host to) {
    const NetworkScope there = lab_->Enter(from);
    UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience = {1, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const sockaddr_in address = At(NetworkLab::AddressOf(to));
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return UniqueFd();
    }
    return client;
  }

  // Bits a second, from a host's sender to another's receiver.
  double Transfer(NetworkLab::Host from, NetworkLab::Host to, uint64_t bytes) {
    const UniqueFd listener = ListenOn(to);
    const UniqueFd client = Connect(from, to);
    EXPECT_TRUE(client);
    const UniqueFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const absl::Time start = absl::Now();
    std::thread sender([&] {
      const std::string piece(1 << 20, 'x');
      for (uint64_t sent = 0; sent < bytes;) {
        const size_t size = static_cast<size_t>(std::min<uint64_t>(piece.size(), bytes - sent));
        const ssize_t n = send(client.get(), piece.data(), size, MSG_NOSIGNAL);
        if (n <= 0) return;
        sent += static_cast<uint64_t>(n);
      }
      shutdown(client.get(), SHUT_WR);
    });
    std::vector<char> room(1 << 20);
    uint64_t received = 0;
    ssize_t n;
    while ((n = recv(server.get(), room.data(), room.size(), 0)) > 0) {
      received += static_cast<uint64_t>(n);
    }
    sender.join();
    EXPECT_EQ(received, bytes);
    return static_cast<double>(received) * 8 / absl::ToDoubleSeconds(absl::Now() - start);
  }

  std::unique_ptr<NetworkLab> lab_;
};

TEST_F(NetworkLabTest, ACableCarriesItsRateEachWay) {
  const NetworkLab::Host capped = Add(kRate);
  const NetworkLab::Host free = Add();
  constexpr uint64_t kBytes = 16 << 20;
  for (const auto& [from, to] : {std::pair{capped, free}, std::pair{free, capped}}) {
    const double rate = Transfer(from, to, kBytes);
    EXPECT_GE(rate, kRate * 0.85);
    EXPECT_LE(rate, kRate * 1.15);
  }
  ASSERT_OK_AND_ASSIGN(const NetworkLab::Traffic traffic, lab_->TrafficOf(capped));
  EXPECT_GE(traffic.sent, kBytes);
  EXPECT_LE(traffic.sent, kBytes * 1.1);
  EXPECT_GE(traffic.received, kBytes);
}

TEST_F(NetworkLabTest, AnUncappedCableIsFaster) {
  EXPECT_GE(Transfer(Add(), Add(), 64 << 20), 2.0 * kRate);
}

TEST_F(NetworkLabTest, WhatIsPulledOutIsNotReached) {
  const NetworkLab::Host a = Add();
  const NetworkLab::Host b = Add();
  const UniqueFd listener = ListenOn(b);
  EXPECT_TRUE(Connect(a, b));
  ASSERT_THAT(lab_->PullOut(b), IsOk());
  EXPECT_FALSE(Connect(a, b));
  ASSERT_THAT(lab_->PlugIn(b), IsOk());
  while (!Connect(a, b)) {
  }
}

TEST_F(NetworkLabTest, ASplitLeavesEachSideToItself) {
  std::vector<NetworkLab::Host> hosts;
  std::vector<UniqueFd> listeners;
  for (int i = 0; i < 4; ++i) {
    hosts.push_back(Add());
    listeners.push_back(ListenOn(hosts.back()));
  }
  ASSERT_THAT(lab_->Split({hosts[2], hosts[3]}), IsOk());
  EXPECT_TRUE(Connect(hosts[0], hosts[1]));
  EXPECT_TRUE(Connect(hosts[2], hosts[3]));
  EXPECT_FALSE(Connect(hosts[0], hosts[2]));
  EXPECT_FALSE(Connect(hosts[3], hosts[1]));
  ASSERT_THAT(lab_->Heal(), IsOk());
  while (!Connect(hosts[0], hosts[2])) {
  }
}

TEST_F(NetworkLabTest, AProgramIsWhereItWasStarted) {
  const NetworkLab::Host host = Add();
  const NetworkScope there = lab_->Enter(host);
  ASSERT_OK_AND_ASSIGN(LabProcess process,
                       LabProcess::Start({"/sbin/ip", "-4", "-o", "addr", "show", "eth0"}, ""));
  EXPECT_THAT(process.ReadAll(), testing::HasSubstr(NetworkLab::AddressOf(host) + "/24"));
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(NetworkLabTest, AToolThatFailsSaysWhy) {
  const absl::Status status = RunTool({"/sbin/ip", "link", "set", "nothing", "up"});
  EXPECT_THAT(status, HasKind(ErrorKind::kIo));
  EXPECT_THAT(status.message(), testing::HasSubstr("nothing"));
}

}  // namespace
}  // namespace packice
