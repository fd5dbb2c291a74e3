#include "raw_link.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "node_address.h"

namespace packice {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

RawLink::RawLink(const std::string& address)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in to = Loopback(NodeAddress::Parse(address)->port);
  EXPECT_EQ(connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
}

Hello RawLink::DefaultHello() {
  Hello hello;
  hello.cluster = "packice";
  return hello;
}

bool RawLink::Greet(LinkSide side, Hello hello, const std::string& token) {
  Handshake handshake(side, std::move(hello), token, RandomSource::System());
  Send(handshake.Begin());
  while (true) {
    const std::string byte = Read(1);
    if (byte.empty()) return false;
    absl::string_view bytes = byte;
    std::string answer;
    const absl::StatusOr<bool> done = handshake.Take(bytes, answer);
    Send(answer);
    if (!done.ok()) return false;
    if (*done) return true;
  }
}

void RawLink::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the other end has had enough
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

std::string RawLink::Read(size_t bytes) {
  std::string read(bytes, '\0');
  size_t have = 0;
  while (have < bytes) {
    const ssize_t n = recv(socket_.get(), &read[have], bytes - have, 0);
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  read.resize(have);
  return read;
}

std::string RawLink::ReadToEnd() {
  std::string all;
  while (true) {
    const std::string more = Read(4096);
    all += more;
    if (more.size() < 4096) return all;
  }
}

RawListener::RawListener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(socket_.get(), raw, size), 0);
  EXPECT_EQ(listen(socket_.get(), 1), 0);
  EXPECT_EQ(getsockname(socket_.get(), raw, &size), 0);
  address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

RawLink RawListener::Accept() {
  return RawLink(UniqueFd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

}  // namespace packice
