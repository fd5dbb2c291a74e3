#include "packice/transport/http_server.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_connection.h"
#include "http_node.h"
#include "log_limiter.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"
#include "worker_pool.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Tcp = asio::ip::tcp;
using Workers = WorkerPool<HttpConnection>;

// How long the acceptor rests when the system has no descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(20);
// How many connections it refuses before it rests.
constexpr int kMaxRefusals = 256;
// Deadlines are held to within this.
constexpr absl::Duration kMaxSweep = absl::Milliseconds(250);
constexpr absl::Duration kMinSweep = absl::Milliseconds(5);

absl::Status Invalid(absl::string_view why) { return MakeError(ErrorKind::kInvalidArgument, why); }

absl::StatusOr<asio::ip::address> ParseHost(const std::string& host) {
  if (host == "localhost") return asio::ip::address(asio::ip::address_v4::loopback());
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (!error) return address;
  return Invalid(absl::StrCat("\"", host, "\" is no IP address; give the address to listen on, or ",
                              "\"localhost\""));
}

bool IsPrintable(const std::string& token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

absl::Status Check(const HttpServerOptions& options, const asio::ip::address& address) {
  if (!address.is_loopback() && options.token.empty() && !options.insecure) {
    return Invalid(absl::StrCat("anybody who reaches ", options.host,
                                " could read and delete every object: give a token "
                                "(--token-file), listen on 127.0.0.1, or say --insecure"));
  }
  if (!IsPrintable(options.token)) {
    return Invalid("a token is made of printable ASCII characters without spaces");
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return Invalid("TLS wants both a certificate and its key (--tls-cert, --tls-key)");
  }
  if (options.max_header_bytes < 256 || options.max_header_bytes > (1 << 24)) {
    return Invalid("the limit of a request's headers is 256 bytes to 16 MiB");
  }
  return absl::OkStatus();
}

absl::Duration SweepInterval(const HttpServerOptions& options) {
  const absl::Duration shortest =
      std::min({options.idle_timeout, options.header_timeout, options.stall_timeout});
  return std::clamp(shortest / 4, kMinSweep, kMaxSweep);
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Peer& peer, HttpServerOptions options)
      : options_(std::move(options)),
        metrics_(options_.metrics != nullptr ? options_.metrics : std::make_shared<NodeMetrics>()),
        log_(options_.log),
        node_(peer, options_, *metrics_),
        workers_(options_.threads) {}

  ~Impl() {
    StopAccepting();
    workers_.Stop();
  }

  absl::Status Start() {
    absl::StatusOr<asio::ip::address> address = ParseHost(options_.host);
    if (!address.ok()) return address.status();
    if (absl::Status status = Check(options_, *address); !status.ok()) return status;
    if (!options_.tls_cert.empty()) {
      absl::StatusOr<std::unique_ptr<TlsContext>> tls =
          TlsContext::Load(options_.tls_cert, options_.tls_key);
      if (!tls.ok()) return tls.status();
      tls_ = *std::move(tls);
    }
    if (absl::Status status = Listen(*address); !status.ok()) return status;
    asio::co_spawn(
        workers_.first().context, [this] { return Accept(); }, asio::detached);
    for (auto& worker : workers_.workers()) {
      asio::co_spawn(
          worker->context, [this, worker = worker.get()] { return Sweep(*worker); },
          asio::detached);
    }
    workers_.Run();
    return absl::OkStatus();
  }

  void Drain(absl::Duration grace) {
    StopAccepting();
    // All waits end before any connection does: a wait must not be told that what it waited for is
    // gone, only because its creator's connection was closed first.
    workers_.OnEach([](HttpConnection& connection) { connection.EndWaits(); });
    workers_.OnEach([](HttpConnection& connection) { connection.Drain(); });
    workers_.WaitUntilServed(grace);
  }

  const std::string& url() const { return url_; }
  uint16_t port() const { return port_; }

 private:
  absl::Status Listen(const asio::ip::address& address) {
    const Tcp::endpoint endpoint(address, options_.port);
    protocol_ = endpoint.protocol();
    boost::system::error_code error;
    acceptor_ = std::make_unique<Tcp::acceptor>(workers_.first().context);
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      const std::string what =
          absl::StrCat("cannot listen on ", options_.host, " port ", options_.port);
      if (error == asio::error::address_in_use) {
        return MakeError(ErrorKind::kBusy, what + ": another process does (--port 0 takes any)");
      }
      return ErrnoError(error.value(), what);
    }
    fcntl(acceptor_->native_handle(), F_SETFD, FD_CLOEXEC);
    port_ = acceptor_->local_endpoint(error).port();
    const std::string host =
        address.is_v6() ? absl::StrCat("[", address.to_string(), "]") : address.to_string();
    url_ = absl::StrCat(tls_ != nullptr ? "https" : "http", "://", host, ":", port_);
    return absl::OkStatus();
  }

  void StopAccepting() {
    if (acceptor_ == nullptr || stopping_.exchange(true)) return;
    Latch closed;
    asio::post(workers_.first().context, [&] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      closed.Set();
    });
    if (workers_.first().thread.joinable()) closed.Wait();
  }

  asio::awaitable<void> Accept() {
    asio::steady_timer pause(workers_.first().context);
    while (acceptor_->is_open()) {
      Workers::Worker& worker = workers_.LeastLoaded();
      boost::system::error_code error;
      Tcp::socket socket = co_await acceptor_->async_accept(
          worker.context, asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        Admit(worker, std::move(socket));
      } else if (error == asio::error::no_descriptors || error.value() == ENFILE ||
                 error.value() == ENOMEM || error.value() == ENOBUFS) {
        RefuseWaiting();
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  void Admit(Workers::Worker& worker, Tcp::socket socket) {
    boost::system::error_code ignored;
    fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    socket.set_option(Tcp::no_delay(true), ignored);
    if (workers_.size() >= options_.max_connections) {
      log_.Log("connections", absl::StrCat("refused a connection: ", options_.max_connections,
                                           " are open (--max-connections)"));
      return Refuse(socket.native_handle(), "the node has as many connections as it takes");
    }
    metrics_->Opened(Transport::kHttp);
    std::unique_ptr<HttpStream> stream =
        tls_ != nullptr ? tls_->MakeStream(std::move(socket)) : MakePlainStream(std::move(socket));
    workers_.Add(worker, std::make_shared<HttpConnection>(std::move(stream), node_,
                                                          [this, &worker](HttpConnection* closed) {
                                                            metrics_->Closed(Transport::kHttp);
                                                            workers_.Remove(worker, closed);
                                                          }));
  }

  // Without waiting, and in plain text: a client that speaks TLS sees the connection closed.
  void Refuse(int socket, absl::string_view why) {
    metrics_->Refused(Transport::kHttp);
    if (tls_ != nullptr) return;
    const HttpFailure failure(503, ErrorKind::kCapacity, why, "Retry-After: 1\r\n");
    const std::string body = FailureBody(failure);
    std::string response;
    AppendHead({failure.status, kJsonType, failure.headers, body.size()}, {/*keep=*/false, false},
               response);
    response += body;
    send(socket, response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // What the client has sent would make the close a reset, which could overtake the answer.
    shutdown(socket, SHUT_WR);
    char dropped[4096];
    while (recv(socket, dropped, sizeof(dropped), MSG_DONTWAIT) > 0) {
    }
  }

  // The process has no descriptor left to accept with: the spare one makes way, so that clients
  // learn why, one after another.
  void RefuseWaiting() {
    log_.Log("descriptors",
             "out of descriptors: refusing connections (raise the limit of open files)");
    for (int i = 0; i < kMaxRefusals; ++i) {
      spare_.Reset();
      UniqueFd socket(accept4(acceptor_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
      spare_ = SpareDescriptor();
      if (!socket) return;
      if (spare_) return AdmitDescriptor(std::move(socket));  // meanwhile some have become free
      Refuse(socket.get(), "the node is out of descriptors");
    }
    spare_ = SpareDescriptor();
  }

  void AdmitDescriptor(UniqueFd fd) {
    Workers::Worker& worker = workers_.LeastLoaded();
    Tcp::socket socket(worker.context);
    boost::system::error_code error;
    socket.assign(protocol_, fd.get(), error);
    if (error) return;
    static_cast<void>(fd.Release());
    Admit(worker, std::move(socket));
  }

  static UniqueFd SpareDescriptor() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  asio::awaitable<void> Sweep(Workers::Worker& worker) {
    const absl::Duration interval = SweepInterval(options_);
    asio::steady_timer timer(worker.context);
    while (true) {
      boost::system::error_code error;
      timer.expires_after(absl::ToChronoMicroseconds(interval));
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      const Instant now = metrics_->Now();
      for (const auto& connection : worker.connections) connection->Sweep(now);
    }
  }

  const HttpServerOptions options_;
  const std::shared_ptr<NodeMetrics> metrics_;
  LogLimiter log_;
  std::unique_ptr<TlsContext> tls_;
  HttpNode node_;
  Workers workers_;
  std::unique_ptr<Tcp::acceptor> acceptor_;
  Tcp protocol_ = Tcp::v4();  // of acceptor_
  UniqueFd spare_ = SpareDescriptor();
  std::atomic<bool> stopping_{false};
  std::string url_;
  uint16_t port_ = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(Peer& peer,
                                                              HttpServerOptions options) {
  auto impl = std::make_unique<Impl>(peer, std::move(options));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

const std::string& HttpServer::url() const { return impl_->url(); }
uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::Drain(absl::Duration grace) { impl_->Drain(grace); }

}  // namespace packice
