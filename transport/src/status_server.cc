#include "packice/transport/status_server.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "byte_buffer.h"
#include "http_failure.h"
#include "http_parser.h"
#include "http_response.h"
#include "packice/core/error.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Tcp = asio::ip::tcp;

constexpr size_t kMaxConnections = 64;
constexpr size_t kMaxHeadBytes = 16 * 1024;
constexpr size_t kMaxTargetBytes = 1024;
constexpr size_t kReadBytes = 4096;
constexpr auto kPatience = std::chrono::seconds(10);
// How long the acceptor rests when it may take no more.
constexpr auto kAcceptPause = std::chrono::milliseconds(20);

}  // namespace

class StatusServer::Impl {
 public:
  explicit Impl(std::vector<StatusPage> pages) : pages_(std::move(pages)) {}
  ~Impl() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start(const std::string& host, uint16_t port) {
    boost::system::error_code error;
    const asio::ip::address address = asio::ip::make_address(host, error);
    if (error) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat("\"", host, "\" is no IP address to listen on"));
    }
    const Tcp::endpoint endpoint(address, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      const std::string what = absl::StrCat("cannot listen on ", host, " port ", port);
      if (error == asio::error::address_in_use) {
        return MakeError(ErrorKind::kBusy, what + ": another process does");
      }
      return ErrnoError(error.value(), what);
    }
    url_ = absl::StrCat("http://", address.is_v6() ? absl::StrCat("[", host, "]") : host, ":",
                        acceptor_.local_endpoint(error).port());
    asio::co_spawn(
        context_, [this] { return Accept(); }, asio::detached);
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  const std::string& url() const { return url_; }

 private:
  asio::awaitable<void> Accept() {
    asio::steady_timer pause(context_);
    while (true) {
      boost::system::error_code error;
      Tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!error && connections_ < kMaxConnections) {
        ++connections_;
        asio::co_spawn(
            context_,
            [this, held = std::make_shared<Tcp::socket>(std::move(socket))] { return Serve(held); },
            asio::detached);
      } else {
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  asio::awaitable<void> Serve(std::shared_ptr<Tcp::socket> socket) {
    asio::steady_timer deadline(context_, kPatience);
    deadline.async_wait([socket](boost::system::error_code error) {
      boost::system::error_code ignored;
      if (!error) socket->close(ignored);
    });
    std::string answer = co_await Answer(*socket);
    boost::system::error_code ignored;
    co_await asio::async_write(*socket, asio::buffer(answer),
                               asio::redirect_error(asio::use_awaitable, ignored));
    socket->shutdown(Tcp::socket::shutdown_both, ignored);
    deadline.cancel();
    --connections_;
  }

  asio::awaitable<std::string> Answer(Tcp::socket& socket) {
    HttpParser parser(kMaxHeadBytes, kMaxTargetBytes);
    ByteBuffer input;
    std::vector<absl::string_view> body;
    while (parser.phase() == HttpParser::Phase::kHead) {
      boost::system::error_code error;
      const absl::Span<char> room = input.Room(kReadBytes);
      const size_t n = co_await socket.async_read_some(
          asio::buffer(room.data(), room.size()), asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return "";
      input.Filled(n);
      input.Consume(parser.Read(input.bytes(), body));
    }
    if (parser.phase() == HttpParser::Phase::kFailed) co_return Failure(parser.failure());
    co_return Page(parser.request());
  }

  std::string Page(const HttpRequest& request) const {
    const absl::string_view path =
        absl::string_view(request.target).substr(0, request.target.find('?'));
    const auto page = std::find_if(pages_.begin(), pages_.end(),
                                   [&](const StatusPage& each) { return each.path == path; });
    if (page == pages_.end()) {
      return Failure(HttpFailure(404, ErrorKind::kNotFound, "there is no such page"));
    }
    const bool head = request.method == HttpMethod::kHead;
    if (!head && request.method != HttpMethod::kGet) {
      return Failure(HttpFailure(405, ErrorKind::kInvalidArgument, "this page takes GET, HEAD",
                                 "Allow: GET, HEAD\r\n"));
    }
    const std::string text = page->text();
    return Response({200, page->content_type, "", text.size()}, head ? "" : text);
  }

  static std::string Failure(const HttpFailure& failure) {
    const std::string text = FailureBody(failure);
    return Response({failure.status, kJsonType, failure.headers, text.size()}, text);
  }

  static std::string Response(const HttpResponseHead& head, absl::string_view body) {
    std::string response;
    AppendHead(head, {/*keep=*/false}, response);
    absl::StrAppend(&response, body);
    return response;
  }

  const std::vector<StatusPage> pages_;
  asio::io_context context_{1};
  Tcp::acceptor acceptor_{context_};
  size_t connections_ = 0;  // touched on the thread alone
  std::string url_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<StatusServer>> StatusServer::Start(const std::string& host,
                                                                  uint16_t port,
                                                                  std::vector<StatusPage> pages) {
  auto impl = std::make_unique<Impl>(std::move(pages));
  if (absl::Status status = impl->Start(host, port); !status.ok()) return status;
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(impl)));
}

StatusServer::StatusServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StatusServer::~StatusServer() = default;

const std::string& StatusServer::url() const { return impl_->url(); }

}  // namespace packice
