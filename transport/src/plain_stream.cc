#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "http_stream.h"

namespace packice {
namespace {

namespace asio = boost::asio;

class PlainStream final : public HttpStream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) {
    ErrorCode ignored;
    socket_.non_blocking(true, ignored);
  }

  Awaitable<void> Handshake(ErrorCode&) override { co_return; }

  Awaitable<size_t> ReadSome(absl::Span<char> room, ErrorCode& error) override {
    co_return co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                               asio::redirect_error(asio::use_awaitable, error));
  }

  size_t TryWrite(absl::string_view bytes, ErrorCode& error) override {
    while (true) {
      const ssize_t n =
          send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        error = ErrorCode(errno, boost::system::system_category());
      }
      return 0;
    }
  }

  Awaitable<size_t> WriteSome(absl::string_view bytes, ErrorCode& error) override {
    size_t n = TryWrite(bytes, error);
    while (n == 0 && !error) {
      co_await socket_.async_wait(Socket::wait_write,
                                  asio::redirect_error(asio::use_awaitable, error));
      if (!error) n = TryWrite(bytes, error);
    }
    co_return n;
  }

  Awaitable<void> ShutDown() override {
    ErrorCode ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    co_return;
  }

  bool plain() const override { return true; }
  Socket& socket() override { return socket_; }

 private:
  Socket socket_;
};

}  // namespace

std::unique_ptr<HttpStream> MakePlainStream(HttpStream::Socket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace packice
