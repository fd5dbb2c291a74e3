#include "fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(2);

absl::StatusOr<sockaddr_in> Parse(const std::string& address) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(address, ':');
  sockaddr_in parsed = {};
  parsed.sin_family = AF_INET;
  uint32_t port = 0;
  if (inet_pton(AF_INET, parts.first.c_str(), &parsed.sin_addr) != 1 ||
      !absl::SimpleAtoi(parts.second, &port) || port > 65535) {
    return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(address, " is no address:port"));
  }
  parsed.sin_port = htons(static_cast<uint16_t>(port));
  return parsed;
}

std::string Format(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
  return absl::StrCat(text, ":", ntohs(address.sin_port));
}

// Closes with a reset.
void Reset(UniqueFd& socket) {
  const linger now = {1, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  socket.Reset();
}

void SendAtOnce(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

UniqueFd ConnectTo(const std::string& target) {
  const absl::StatusOr<sockaddr_in> address = Parse(target);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout = absl::ToTimeval(kConnectTimeout);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return UniqueFd();
  }
  SendAtOnce(socket.get());
  return socket;
}

}  // namespace

struct FaultProxy::Connection {
  Connection(UniqueFd from_client, UniqueFd to_target, uint64_t seed)
      : client(std::move(from_client)),
        target(std::move(to_target)),
        up(client.get(), target.get(), /*flips=*/false, 2 * seed),
        down(target.get(), client.get(), /*flips=*/true, 2 * seed + 1) {}

  UniqueFd client;
  UniqueFd target;
  FaultFlow up;
  FaultFlow down;
};

FaultProxy::FaultProxy(UniqueFd listener, std::string address, std::string target, uint64_t seed)
    : listener_(std::move(listener)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      address_(std::move(address)),
      target_(std::move(target)),
      seed_(seed),
      thread_([this] { Run(); }) {}

FaultProxy::~FaultProxy() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  WakeUp();
  thread_.join();
}

absl::StatusOr<std::unique_ptr<FaultProxy>> FaultProxy::Start(const std::string& listen,
                                                              const std::string& target,
                                                              uint64_t seed) {
  absl::StatusOr<sockaddr_in> address = Parse(listen);
  if (!address.ok()) return address.status();
  if (absl::Status status = Parse(target).status(); !status.ok()) return status;
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  socklen_t size = sizeof(*address);
  auto* const generic = reinterpret_cast<sockaddr*>(&*address);
  if (bind(socket.get(), generic, size) != 0 || ::listen(socket.get(), 128) != 0 ||
      getsockname(socket.get(), generic, &size) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot listen at ", listen));
  }
  return std::unique_ptr<FaultProxy>(
      new FaultProxy(std::move(socket), Format(*address), target, seed));
}

void FaultProxy::Set(Faults faults) {
  {
    MutexLock lock(mutex_);
    faults_ = faults;
  }
  WakeUp();
}

void FaultProxy::CutAll() {
  {
    MutexLock lock(mutex_);
    cut_all_ = true;
  }
  WakeUp();
}

FaultCounts FaultProxy::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

void FaultProxy::WakeUp() {
  const uint64_t one = 1;
  static_cast<void>(!write(wake_.get(), &one, sizeof(one)));
}

void FaultProxy::Run() {
  uint64_t number = 0;
  while (true) {
    Faults faults;
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      faults = faults_;
    }
    if (Wait(faults)) Accept(number);
    MoveAll(number);
  }
}

// Under the lock, so that what a client has seen is counted.
void FaultProxy::MoveAll(uint64_t connections) {
  MutexLock lock(mutex_);
  counts_.connections = connections;
  const bool cut_all = std::exchange(cut_all_, false);
  for (auto it = connections_.begin(); it != connections_.end();) {
    Connection& connection = **it;
    if (!cut_all && (faults_.silent || Move(connection, faults_, counts_))) {
      ++it;
      continue;
    }
    // What ended in good order has told both ends already.
    if (!connection.up.finished() || !connection.down.finished()) {
      ++counts_.cuts;
      Reset(connection.client);
      Reset(connection.target);
    }
    it = connections_.erase(it);
  }
}

bool FaultProxy::Wait(const Faults& faults) {
  std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
  const Instant now = Clock::System().Now();
  Instant due = absl::InfiniteDuration();
  if (!faults.silent) {
    polled.push_back({listener_.get(), POLLIN, 0});
    for (const auto& connection : connections_) {
      const auto add = [&](const UniqueFd& socket, const FaultFlow& in, const FaultFlow& out) {
        const int events = (in.WantsBytes() ? POLLIN : 0) | (out.WantsToSend(now) ? POLLOUT : 0);
        // Of an end that is gone poll tells even who asks for nothing.
        polled.push_back({events != 0 ? socket.get() : -1, static_cast<short>(events), 0});
      };
      add(connection->client, connection->up, connection->down);
      add(connection->target, connection->down, connection->up);
      for (const FaultFlow* flow : {&connection->up, &connection->down}) {
        if (!flow->WantsToSend(now)) due = std::min(due, flow->DueNext());
      }
    }
  }
  timespec timeout = absl::ToTimespec(std::max(due - now, absl::ZeroDuration()));
  ppoll(polled.data(), polled.size(), due == absl::InfiniteDuration() ? nullptr : &timeout,
        nullptr);
  uint64_t wakes;
  static_cast<void>(!read(wake_.get(), &wakes, sizeof(wakes)));
  return polled.size() > 1 && polled[1].revents != 0;
}

void FaultProxy::Accept(uint64_t& number) {
  UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  SendAtOnce(client.get());
  UniqueFd target = ConnectTo(target_);
  if (!target) return Reset(client);
  connections_.push_back(
      std::make_unique<Connection>(std::move(client), std::move(target), seed_ + 1000003 * number));
  ++number;
}

bool FaultProxy::Move(Connection& connection, const Faults& faults, FaultCounts& counts) {
  const Instant now = Clock::System().Now();
  for (FaultFlow* flow : {&connection.up, &connection.down}) {
    if (flow->WantsBytes() && flow->Receive(faults, now, counts) == FaultFlow::Outcome::kCut) {
      return false;
    }
    if (flow->Send(faults, now, counts) == FaultFlow::Outcome::kCut) return false;
  }
  return !connection.up.finished() || !connection.down.finished();
}

}  // namespace packice
