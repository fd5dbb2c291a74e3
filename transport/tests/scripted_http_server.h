// An HTTP server that does as a test says, mistakes included: what a client of a well-behaved node
// never meets.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "gtest/gtest.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"

namespace packice {

struct ScriptedRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // by lower-case name
  std::string body;
  int connection = 0;  // which one it came by, from 1

  std::string Header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

struct ScriptedResponse {
  int status = 200;
  std::string headers = {};  // more of them, each with its CRLF
  std::string body = {};
  // Only so much of the body is sent, then the connection ends.
  absl::optional<size_t> cut = {};
  // Nothing is sent; the connection ends.
  bool hang_up = false;
  // Nothing is sent, and nothing happens until the client goes.
  bool silent = false;
};

class ScriptedHttpServer {
 public:
  using Script = std::function<ScriptedResponse(const ScriptedRequest&)>;

  explicit ScriptedHttpServer(Script script, uint16_t port = 0) : script_(std::move(script)) {
    listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 64), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~ScriptedHttpServer() {
    stopped_ = true;
    shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    HangUpOnAll();
    for (std::thread& thread : threads_) thread.join();
  }

  uint16_t port() const { return port_; }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_); }

  // Every request there was, in the order in which they came.
  std::vector<ScriptedRequest> Requests(const std::string& method = "",
                                        const std::string& target = "") const {
    MutexLock lock(mutex_);
    std::vector<ScriptedRequest> found;
    for (const ScriptedRequest& request : requests_) {
      if (method.empty() || (request.method == method && request.target == target)) {
        found.push_back(request);
      }
    }
    return found;
  }
  // Until such a request has come, or ten seconds are over.
  bool AwaitRequest(const std::string& method, const std::string& target) const {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    MutexLock lock(mutex_);
    while (!HasComeLocked(method, target)) {
      if (absl::Now() > deadline) return false;
      came_.WaitFor(mutex_, absl::Milliseconds(100));
    }
    return true;
  }
  int connections() const { return connections_; }

  void HangUpOnAll() {
    MutexLock lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }

 private:
  bool HasComeLocked(const std::string& method, const std::string& target) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::any_of(requests_.begin(), requests_.end(), [&](const ScriptedRequest& request) {
      return request.method == method && request.target == target;
    });
  }

  void Accept() {
    while (!stopped_) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      const int number = ++connections_;
      {
        MutexLock lock(mutex_);
        open_.push_back(fd.get());
      }
      threads_.emplace_back([this, number, shared = std::make_shared<UniqueFd>(std::move(fd))] {
        Serve(shared->get(), number);
        MutexLock lock(mutex_);
        open_.remove(shared->get());
        shared->Reset();
      });
    }
  }

  void Serve(int fd, int number) {
    std::string input;
    while (absl::optional<ScriptedRequest> request = Receive(fd, input)) {
      request->connection = number;
      {
        MutexLock lock(mutex_);
        requests_.push_back(*request);
        came_.NotifyAll();
      }
      const ScriptedResponse response = script_(*request);
      if (response.hang_up) return;
      if (response.silent) {
        More(fd, input);
        return;
      }
      std::string text =
          absl::StrCat("HTTP/1.1 ", response.status, " Scripted\r\n",
                       "Content-Length: ", response.body.size(), "\r\n", response.headers, "\r\n");
      const bool has_body = request->method != "HEAD";
      if (has_body) text.append(response.body, 0, response.cut.value_or(response.body.size()));
      if (!SendAll(fd, text) || response.cut) return;
    }
  }

  static absl::optional<ScriptedRequest> Receive(int fd, std::string& input) {
    size_t end;
    while ((end = input.find("\r\n\r\n")) == std::string::npos) {
      if (!More(fd, input)) return absl::nullopt;
    }
    ScriptedRequest request;
    const std::vector<std::string> lines = absl::StrSplit(input.substr(0, end), "\r\n");
    const std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
    request.method = words[0];
    request.target = words[1];
    for (size_t i = 1; i < lines.size(); ++i) {
      const std::pair<std::string, std::string> header =
          absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
      request.headers[absl::AsciiStrToLower(header.first)] = header.second;
    }
    uint64_t length = 0;
    (void)absl::SimpleAtoi(request.Header("content-length"), &length);
    input.erase(0, end + 4);
    while (input.size() < length) {
      if (!More(fd, input)) return absl::nullopt;
    }
    request.body = input.substr(0, length);
    input.erase(0, length);
    return request;
  }

  static bool More(int fd, std::string& input) {
    char bytes[65536];
    const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n > 0) input.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }
  static bool SendAll(int fd, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }

  const Script script_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<int> connections_{0};
  mutable Mutex mutex_;
  mutable CondVar came_;
  std::list<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<ScriptedRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
  std::list<std::thread> threads_;  // touched by the acceptor, and when that has ended
};

}  // namespace packice
