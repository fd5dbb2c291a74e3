// The only source of the swarm's transfers that sees OpenSSL's TLS. It sits on the socket itself:
// a pair of buffers between, as Asio's stream has it, would cost each idle link 34 KiB and each
// byte a copy.
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "link_stream.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

constexpr size_t kReadBufferBytes = 128 << 10;  // a link has it only while something comes

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string LastError() {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

class TlsLinkStream final : public LinkStream {
 public:
  explicit TlsLinkStream(SSL* ssl) : ssl_(ssl) {}

  Moved Read(absl::Span<const iovec> room) override {
    ERR_clear_error();  // what is left there would be taken for this call's
    size_t read = 0;
    for (const iovec& part : room) {
      size_t filled = 0;
      while (filled < part.iov_len) {
        const int n = SSL_read(ssl_.get(), static_cast<char*>(part.iov_base) + filled,
                               Clamp(part.iov_len - filled));
        if (n <= 0) return Stopped(read, n);
        filled += static_cast<size_t>(n);
        read += static_cast<size_t>(n);
      }
    }
    return {read, Next::kGoOn, absl::OkStatus()};
  }

  Moved Write(absl::Span<const iovec> bytes, bool) override {
    ERR_clear_error();
    size_t written = 0;
    for (const iovec& part : bytes) {
      size_t at = 0;
      while (at < part.iov_len) {
        const int n = SSL_write(ssl_.get(), static_cast<const char*>(part.iov_base) + at,
                                Clamp(part.iov_len - at));
        if (n <= 0) return Stopped(written, n);
        at += static_cast<size_t>(n);
        written += static_cast<size_t>(n);
      }
    }
    return {written, Next::kGoOn, absl::OkStatus()};
  }

  Moved SendFile(int, off_t, size_t) override {
    return {0, Next::kOver, MakeError(ErrorKind::kInternal, "TLS sends no files")};
  }

  void FinishWriting() override { SSL_shutdown(ssl_.get()); }

 private:
  static int Clamp(size_t bytes) {
    return static_cast<int>(std::min<size_t>(bytes, std::numeric_limits<int>::max()));
  }

  // `n` is what the last call answered; what moved before it counts first.
  Moved Stopped(size_t moved, int n) {
    const int error = SSL_get_error(ssl_.get(), n);
    if (moved > 0) return {moved, Next::kGoOn, absl::OkStatus()};
    switch (error) {
      case SSL_ERROR_WANT_READ:
        return {0, Next::kAwaitReadable, absl::OkStatus()};
      case SSL_ERROR_WANT_WRITE:
        return {0, Next::kAwaitWritable, absl::OkStatus()};
      case SSL_ERROR_ZERO_RETURN:
        return {0, Next::kOver, absl::OkStatus()};
      case SSL_ERROR_SYSCALL:
        return {0, Next::kOver,
                MakeError(ErrorKind::kUnavailable, "the connection to the other node is lost")};
      default:
        return {0, Next::kOver,
                MakeError(ErrorKind::kPermissionDenied,
                          absl::StrCat("no TLS with the other node: ", LastError()))};
    }
  }

  const std::unique_ptr<SSL, FreeSsl> ssl_;
};

absl::Status CheckReadable(const std::string& file, absl::string_view what) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return absl::OkStatus();
  const std::string message = absl::StrCat("cannot read the ", what, " ", file);
  if (errno == ENOENT) return MakeError(ErrorKind::kNotFound, message + ": there is no such file");
  return ErrnoError(errno, message);
}

absl::Status Unfit(const std::string& file, absl::string_view what) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat(file, " holds no ", what, " in PEM form: ", LastError()));
}

}  // namespace

struct LinkTls::Context {
  std::unique_ptr<SSL_CTX, FreeContext> ssl{SSL_CTX_new(TLS_method())};
};

LinkTls::LinkTls(std::unique_ptr<Context> context) : context_(std::move(context)) {}
LinkTls::~LinkTls() = default;

absl::StatusOr<std::unique_ptr<LinkTls>> LinkTls::Load(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty() || files.authority.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "TLS between nodes wants a certificate, its key and the authority's "
                     "certificate, all three");
  }
  for (const auto& [file, what] :
       {std::pair(&files.certificate, "certificate"), std::pair(&files.key, "key"),
        std::pair(&files.authority, "authority's certificate")}) {
    if (absl::Status status = CheckReadable(*file, what); !status.ok()) return status;
  }
  auto context = std::make_unique<Context>();
  SSL_CTX* ssl = context->ssl.get();
  if (ssl == nullptr) return MakeError(ErrorKind::kInternal, "OpenSSL makes no context");
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // As much as is there with one call, not a record's head and its body with two.
  SSL_CTX_set_read_ahead(ssl, 1);
  SSL_CTX_set_default_read_buffer_len(ssl, kReadBufferBytes);
  // Links are long-lived and few: what resuming sessions would save is not worth their memory.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ssl, 0);
  // Both ends are nodes, so both show who they are. Addresses are not compared with names: in a
  // fleet, whoever the authority has signed is trusted.
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (SSL_CTX_use_certificate_chain_file(ssl, files.certificate.c_str()) != 1) {
    return Unfit(files.certificate, "certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(ssl, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Unfit(files.key, absl::StrCat("key that fits ", files.certificate));
  }
  if (SSL_CTX_load_verify_locations(ssl, files.authority.c_str(), nullptr) != 1) {
    return Unfit(files.authority, "certificate of an authority");
  }
  return std::unique_ptr<LinkTls>(new LinkTls(std::move(context)));
}

std::unique_ptr<LinkStream> LinkTls::MakeStream(int socket, bool dialled) {
  SSL* ssl = SSL_new(context_->ssl.get());
  if (ssl == nullptr) throw std::bad_alloc();
  // The handshake runs by itself within the first reads and writes.
  SSL_set_fd(ssl, socket);
  dialled ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
  return std::make_unique<TlsLinkStream>(ssl);
}

}  // namespace packice
