#include "raw_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

constexpr size_t kMaxDescriptors = 253;  // that one message carries (unix(7))

// Where the JSON value that starts at `from` ends.
size_t EndOfValue(absl::string_view text, size_t from) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) return i;
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  return text.size();
}

size_t CountOf(absl::string_view needle, absl::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(needle); at != absl::string_view::npos;
       at = text.find(needle, at + needle.size())) {
    ++count;
  }
  return count;
}

}  // namespace

std::string Response::Kind() const {
  if (line.empty()) return "";
  return Has("\"error\":{") ? Text("kind") : "ok";
}

std::string Response::Json(absl::string_view field) const {
  const std::string name = absl::StrCat("\"", field, "\":");
  const size_t at = line.find(name);
  if (at == std::string::npos) return "";
  const size_t from = at + name.size();
  return line.substr(from, EndOfValue(line, from) - from);
}

std::string Response::Text(absl::string_view field) const {
  const std::string json = Json(field);
  return json.size() < 2 || json.front() != '"' ? "" : json.substr(1, json.size() - 2);
}

int64_t Response::Number(absl::string_view field) const {
  int64_t value = 0;
  EXPECT_TRUE(absl::SimpleAtoi(Json(field), &value)) << field << " of " << line;
  return value;
}

std::vector<std::string> Response::Texts(absl::string_view field) const {
  const std::string name = absl::StrCat("\"", field, "\":\"");
  std::vector<std::string> texts;
  for (size_t at = line.find(name); at != std::string::npos; at = line.find(name, at)) {
    at += name.size();
    texts.push_back(line.substr(at, EndOfValue(line, at - 1) - at - 1));
  }
  return texts;
}

absl::optional<RawClient> RawClient::TryConnect(const std::string& path) {
  RawClient client;
  client.socket_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (!client.socket_ || path.size() >= sizeof(address.sun_path)) return absl::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (connect(client.socket(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::nullopt;
  }
  return client;
}

RawClient::RawClient(const std::string& path) {
  absl::optional<RawClient> client = TryConnect(path);
  if (client) *this = *std::move(client);
  EXPECT_TRUE(socket_) << "cannot connect to " << path << ": " << std::strerror(errno);
}

bool RawClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool RawClient::WaitReadable(absl::Duration patience) const {
  pollfd poller = {socket(), POLLIN, 0};
  return poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) > 0;
}

bool RawClient::ReadMore() {
  if (!WaitReadable(kPatience)) {
    ADD_FAILURE() << "the server does not answer";
    return false;
  }
  std::vector<char> bytes(64 * 1024);
  iovec part = {bytes.data(), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t n = recvmsg(socket(), &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return false;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received_.emplace_back(fd);
    }
  }
  input_.append(bytes.data(), static_cast<size_t>(n));
  return true;
}

Response RawClient::Receive() {
  size_t newline;
  while ((newline = input_.find('\n')) == std::string::npos) {
    if (!ReadMore()) return Response();
  }
  Response response;
  response.line = input_.substr(0, newline);
  input_.erase(0, newline + 1);
  // A line's descriptors are those that its handles name.
  for (size_t left = CountOf(R"("index":)", response.line); left > 0; --left) {
    if (received_.empty()) {
      ADD_FAILURE() << "descriptors are missing from " << response.line;
      break;
    }
    response.descriptors.push_back(std::move(received_.front()));
    received_.pop_front();
  }
  return response;
}

std::vector<Response> RawClient::Receive(size_t count) {
  std::vector<Response> responses;
  for (size_t i = 0; i < count; ++i) {
    responses.push_back(Receive());
    if (responses.back().line.empty()) break;
  }
  return responses;
}

Response RawClient::Ask(absl::string_view line) {
  // A refusal may be on its way from a server that takes nothing.
  Send(absl::StrCat(line, "\n"));
  return Receive();
}

bool RawClient::HasResponse() { return !input_.empty() || WaitReadable(absl::Milliseconds(50)); }

bool RawClient::AtEnd() {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline && WaitReadable(kPatience)) {
    if (!ReadMore()) return true;
    input_.clear();
    received_.clear();
  }
  return false;
}

void RawClient::FinishSending() { shutdown(socket(), SHUT_WR); }

// ---- Requests ----

std::string CreateLine(absl::string_view id, uint64_t size) {
  return absl::StrCat(R"({"op":"acquire","intent":"create","object_id":")", id, R"(","size":)",
                      size, "}");
}

std::string ReadLine(absl::string_view id) {
  return absl::StrCat(R"({"op":"acquire","intent":"read","object_id":")", id, R"("})");
}

std::string LeaseLine(absl::string_view op, absl::string_view lease_id) {
  return absl::StrCat(R"({"op":")", op, R"(","lease_id":")", lease_id, R"("})");
}

std::string BatchLine(const std::vector<std::string>& requests) {
  return absl::StrCat(R"({"op":"batch","requests":[)", absl::StrJoin(requests, ","), "]}");
}

void RemoveAll(RawClient& client) {
  constexpr absl::string_view kList = R"({"op":"list","limit":200})";
  for (Response list = client.Ask(kList); list.Has("SEALED"); list = client.Ask(kList)) {
    std::vector<std::string> acquires;
    for (const std::string& id : list.Texts("object_id")) {
      acquires.push_back(
          absl::StrCat(R"({"op":"acquire","intent":"write","object_id":")", id, R"("})"));
    }
    std::vector<std::string> discards;
    for (const std::string& lease : client.Ask(BatchLine(acquires)).Texts("lease_id")) {
      discards.push_back(LeaseLine("discard", lease));
    }
    if (discards.empty()) return;
    client.Ask(BatchLine(discards));
  }
}

std::string PutAndHold(RawClient& client, absl::string_view id, absl::string_view bytes) {
  const Response created = client.Ask(CreateLine(id, bytes.size()));
  EXPECT_EQ(created.Kind(), "ok") << created.line;
  if (created.descriptors.empty()) return "";
  EXPECT_EQ(pwrite(created.descriptors[0].get(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  const Response sealed = client.Ask(LeaseLine("seal", created.Text("lease_id")));
  EXPECT_EQ(sealed.Text("status"), "sealed") << sealed.line;
  return created.Text("lease_id");
}

void Put(RawClient& client, absl::string_view id, absl::string_view bytes) {
  const std::string lease = PutAndHold(client, id, bytes);
  EXPECT_EQ(client.Ask(LeaseLine("release", lease)).Text("status"), "released");
}

}  // namespace packice
