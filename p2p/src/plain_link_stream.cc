#include <sys/sendfile.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "link_stream.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using Next = LinkStream::Next;
using Moved = LinkStream::Moved;

// What a call that moves bytes has answered. `wait`: for what, where it could move none.
Moved Result(ssize_t n, Next wait, absl::string_view what) {
  if (n > 0) return {static_cast<size_t>(n), Next::kGoOn, absl::OkStatus()};
  if (n == 0) return {0, Next::kOver, absl::OkStatus()};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, wait, absl::OkStatus()};
  if (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT) {
    return {0, Next::kOver,
            MakeError(ErrorKind::kUnavailable, "the connection to the other node is lost")};
  }
  return {0, Next::kOver, ErrnoError(errno, what)};
}

msghdr MessageOf(absl::Span<const iovec> parts) {
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(parts.data());  // never written to
  message.msg_iovlen = parts.size();
  return message;
}

class PlainLinkStream final : public LinkStream {
 public:
  explicit PlainLinkStream(int socket) : socket_(socket) {}

  Moved Read(absl::Span<const iovec> room) override {
    msghdr message = MessageOf(room);
    ssize_t n;
    do {
      n = recvmsg(socket_, &message, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return Result(n, Next::kAwaitReadable, "reading from another node");
  }

  Moved Write(absl::Span<const iovec> bytes, bool more) override {
    const msghdr message = MessageOf(bytes);
    ssize_t n;
    do {
      n = sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    return Result(n, Next::kAwaitWritable, "writing to another node");
  }

  Moved SendFile(int fd, off_t offset, size_t bytes) override {
    ssize_t n;
    do {
      n = sendfile(socket_, fd, &offset, bytes);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
      return {0, Next::kOver, MakeError(ErrorKind::kIo, "a file is shorter than it was")};
    }
    return Result(n, Next::kAwaitWritable, "sending a file to another node");
  }

  void FinishWriting() override { shutdown(socket_, SHUT_WR); }

 private:
  const int socket_;  // non-blocking
};

}  // namespace

std::unique_ptr<LinkStream> MakePlainLinkStream(int socket) {
  return std::make_unique<PlainLinkStream>(socket);
}

}  // namespace packice
