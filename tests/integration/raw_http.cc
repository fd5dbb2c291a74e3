#include "raw_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

UniqueFd Dial(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// The chunks of a chunked body, without what is between them (RFC 9112, 7.1).
std::string Unchunked(absl::string_view body) {
  std::string bytes;
  while (!body.empty()) {
    const size_t size = std::strtoul(std::string(body.substr(0, 16)).c_str(), nullptr, 16);
    body.remove_prefix(std::min(body.size(), body.find("\r\n") + 2));
    absl::StrAppend(&bytes, body.substr(0, size));
    body.remove_prefix(std::min(body.size(), size + 2));
    if (size == 0) break;
  }
  return bytes;
}

}  // namespace

HttpAnswer AskHttp(uint16_t port, absl::string_view method, absl::string_view target,
                   absl::string_view body) {
  const UniqueFd fd = Dial(port);
  const std::string request =
      absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
                   "Content-Length: ", body.size(), "\r\n\r\n", body);
  EXPECT_EQ(send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string response;
  char buffer[65536];
  for (ssize_t got; (got = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;) {
    response.append(buffer, static_cast<size_t>(got));
  }
  const size_t end = response.find("\r\n\r\n");
  if (!absl::StartsWith(response, "HTTP/1.1 ") || end == std::string::npos) return {};
  HttpAnswer answer;
  answer.status = std::atoi(response.c_str() + 9);
  answer.headers = response.substr(0, end);
  answer.body = response.substr(end + 4);
  if (absl::StrContains(absl::AsciiStrToLower(answer.headers), "transfer-encoding: chunked")) {
    answer.body = Unchunked(answer.body);
  }
  return answer;
}

}  // namespace packice
