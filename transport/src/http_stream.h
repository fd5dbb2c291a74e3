// The bytes of one connection to an HTTP client, in plain text or within TLS. Owned by one
// connection, used on its worker's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace packice {

class HttpStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  using ErrorCode = boost::system::error_code;

  virtual ~HttpStream() = default;

  // What comes before the first byte of HTTP.
  virtual Awaitable<void> Handshake(ErrorCode& error) = 0;
  // At least one byte, or an error; asio::error::eof at the end.
  virtual Awaitable<size_t> ReadSome(absl::Span<char> room, ErrorCode& error) = 0;
  // Sends what can be sent at once, if anything, without waiting. Otherwise 0.
  virtual size_t TryWrite(absl::string_view bytes, ErrorCode& error) = 0;
  // Sends at least one byte, or an error.
  virtual Awaitable<size_t> WriteSome(absl::string_view bytes, ErrorCode& error) = 0;
  // Tells the client that no more comes. Does not wait for it.
  virtual Awaitable<void> ShutDown() = 0;
  // Whether file bytes may go to the socket as they are.
  virtual bool plain() const = 0;

  virtual Socket& socket() = 0;
};

std::unique_ptr<HttpStream> MakePlainStream(HttpStream::Socket socket);

// The certificate and key that TLS connections show. Shared by all of a server's streams.
class TlsContext {
 public:
  // `not_found`, `permission_denied`, or `invalid_argument` for files that do not fit together.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(const std::string& cert_file,
                                                          const std::string& key_file);
  ~TlsContext();

  std::unique_ptr<HttpStream> MakeStream(HttpStream::Socket socket);

 private:
  struct Context;
  explicit TlsContext(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

}  // namespace packice
