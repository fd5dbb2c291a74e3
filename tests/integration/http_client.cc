#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace packice {

std::string HttpReply::Outcome() const { return absl::StrCat(status, " ", Json().Kind()); }

HttpClient::HttpClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

bool HttpClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool HttpClient::ReadMore() {
  pollfd waiting{socket_.get(), POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) <= 0) {
    ADD_FAILURE() << "no byte came from the server; so far: " << input_.substr(0, 500);
    return false;
  }
  char buffer[65536];
  const ssize_t n = recv(socket_.get(), buffer, sizeof(buffer), 0);
  if (n <= 0) return false;
  input_.append(buffer, static_cast<size_t>(n));
  return true;
}

HttpReply HttpClient::Receive(bool to_head) {
  HttpReply reply;
  size_t end;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore()) return reply;
  }
  const std::string head = input_.substr(0, end);
  input_.erase(0, end + 4);
  const std::vector<std::string> lines = absl::StrSplit(head, "\r\n");
  EXPECT_TRUE(absl::StartsWith(lines[0], "HTTP/1.1 ")) << lines[0];
  int status = 0;
  EXPECT_TRUE(absl::SimpleAtoi(lines[0].substr(9, 3), &status)) << lines[0];
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> header =
        absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    reply.headers[absl::AsciiStrToLower(header.first)] = header.second;
  }
  uint64_t length = 0;
  const bool has_length = absl::SimpleAtoi(reply.Header("content-length"), &length);
  EXPECT_TRUE(has_length || status == 100 || status == 304) << head;
  if (!to_head && has_length) {
    while (input_.size() < length) {
      if (!ReadMore()) return reply;  // cut off: of status 0
    }
    reply.body = input_.substr(0, length);
    input_.erase(0, length);
  }
  reply.status = status;
  return reply;
}

std::string HttpClient::Text(absl::string_view what, absl::string_view body,
                             absl::string_view headers) {
  std::string text = absl::StrCat(what, " HTTP/1.1\r\nHost: x\r\n", headers);
  if (!body.empty()) absl::StrAppend(&text, "Content-Length: ", body.size(), "\r\n");
  return absl::StrCat(text, "\r\n", body);
}

HttpReply HttpClient::Ask(absl::string_view what, absl::string_view body,
                          absl::string_view headers) {
  EXPECT_TRUE(Send(Text(what, body, headers)));
  return Receive(absl::StartsWith(what, "HEAD "));
}

bool HttpClient::AtEnd() {
  while (ReadMore()) {
  }
  return !testing::Test::HasFailure();
}

bool HttpClient::HasBytes() {
  pollfd waiting{socket_.get(), POLLIN, 0};
  return !input_.empty() || poll(&waiting, 1, 100) > 0;
}

void HttpClient::FinishSending() { shutdown(socket_.get(), SHUT_WR); }

void HttpClient::Reset() {
  const linger at_once{1, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  socket_.Reset();
}

}  // namespace packice
