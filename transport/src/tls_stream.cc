// The only source that sees OpenSSL.
#include <fcntl.h>
#include <openssl/ssl.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_stream.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

namespace asio = boost::asio;

class TlsStream final : public HttpStream {
 public:
  TlsStream(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  Awaitable<void> Handshake(ErrorCode& error) override {
    co_await stream_.async_handshake(asio::ssl::stream_base::server,
                                     asio::redirect_error(asio::use_awaitable, error));
  }

  Awaitable<size_t> ReadSome(absl::Span<char> room, ErrorCode& error) override {
    co_return co_await stream_.async_read_some(asio::buffer(room.data(), room.size()),
                                               asio::redirect_error(asio::use_awaitable, error));
  }

  size_t TryWrite(absl::string_view, ErrorCode&) override { return 0; }

  Awaitable<size_t> WriteSome(absl::string_view bytes, ErrorCode& error) override {
    co_return co_await stream_.async_write_some(asio::buffer(bytes.data(), bytes.size()),
                                                asio::redirect_error(asio::use_awaitable, error));
  }

  // Sends close_notify, so that the client can tell the end from a cut.
  Awaitable<void> ShutDown() override {
    // Waits for the client's in return, as long as the connection's deadline lets it.
    ErrorCode ignored;
    co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
  }

  bool plain() const override { return false; }
  Socket& socket() override { return stream_.next_layer(); }

 private:
  asio::ssl::stream<Socket> stream_;
};

// The only application protocol there is; clients that offer none are served all the same.
int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11) - 1, offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301, 3.2
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

absl::Status CheckReadable(const std::string& file, absl::string_view what) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return absl::OkStatus();
  const std::string message = absl::StrCat("cannot read the ", what, " ", file);
  if (errno == ENOENT) return MakeError(ErrorKind::kNotFound, message + ": there is no such file");
  return ErrnoError(errno, message);
}

}  // namespace

struct TlsContext::Context {
  asio::ssl::context context{asio::ssl::context::tls_server};
};

TlsContext::TlsContext(std::unique_ptr<Context> context) : context_(std::move(context)) {}
TlsContext::~TlsContext() = default;

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& cert_file,
                                                             const std::string& key_file) {
  if (absl::Status status = CheckReadable(cert_file, "certificate"); !status.ok()) return status;
  if (absl::Status status = CheckReadable(key_file, "key"); !status.ok()) return status;
  auto owned = std::make_unique<Context>();
  asio::ssl::context& context = owned->context;
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(native, ChooseProtocol, nullptr);
  boost::system::error_code error;
  context.use_certificate_chain_file(cert_file, error);
  if (error) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat(cert_file, " holds no certificate in PEM form: ", error.message()));
  }
  context.use_private_key_file(key_file, asio::ssl::context::pem, error);
  if (error) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat(key_file, " holds no private key in PEM form that fits ",
                                  cert_file, ": ", error.message()));
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(owned)));
}

std::unique_ptr<HttpStream> TlsContext::MakeStream(HttpStream::Socket socket) {
  return std::make_unique<TlsStream>(std::move(socket), context_->context);
}

}  // namespace packice
