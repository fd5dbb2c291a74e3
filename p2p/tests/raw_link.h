// The other end of a link, made of nothing but a socket: for what no node of ours would send.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "handshake.h"
#include "packice/core/unique_fd.h"

namespace packice {

class RawLink {
 public:
  // Connects to "127.0.0.1:port"; says nothing yet.
  explicit RawLink(const std::string& address);
  explicit RawLink(UniqueFd socket) : socket_(std::move(socket)) {}

  // Greets as a node of this kind does, on either side. False when it is refused.
  bool Greet(LinkSide side = LinkSide::kDialled, Hello hello = DefaultHello(),
             const std::string& token = "");
  static Hello DefaultHello();

  void Send(absl::string_view bytes);
  // Blocks until as many bytes are there; fewer at the end.
  std::string Read(size_t bytes);
  std::string ReadToEnd();
  void Close() { socket_.Reset(); }

 private:
  UniqueFd socket_;
};

// Waits for one dial.
class RawListener {
 public:
  RawListener();
  const std::string& address() const { return address_; }
  RawLink Accept();

 private:
  UniqueFd socket_;
  std::string address_;
};

}  // namespace packice
