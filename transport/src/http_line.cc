#include "http_line.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fork_registry.h"
#include "packice/core/error.h"

namespace packice {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Of a body that is kept in memory: a page of a list with as much metadata as there may be.
constexpr uint64_t kMaxBody = uint64_t{1} << 30;
// How much goes to the socket at once, so that a pause shows.
constexpr size_t kSendBytes = 1 << 20;

auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

void KeepHead(const http::response<http::string_body>& message, HttpAnswer& answer) {
  const auto text = [&](http::field field) { return std::string(message[field]); };
  answer.status = message.result_int();
  answer.content_range = text(http::field::content_range);
  answer.accept_ranges = text(http::field::accept_ranges);
  answer.etag = text(http::field::etag);
  answer.last_modified = text(http::field::last_modified);
  answer.location = text(http::field::location);
}

bool IsTlsFailure(const error_code& error) {
  return error.category() == asio::error::get_ssl_category();
}

}  // namespace

class HttpLine::Impl {
 public:
  using Tls = asio::ssl::stream<beast::tcp_stream>;

  Impl(asio::io_context& context, std::shared_ptr<const HttpWire> wire)
      : wire_(std::move(wire)), resolver_(context), stream_(context) {}
  ~Impl() { Close(); }

  asio::awaitable<absl::Status> Open(absl::Duration timeout) {
    error_code error;
    const std::vector<tcp::endpoint> endpoints = co_await Resolve(error);
    if (error) co_return Failure(error, "cannot resolve the name of");
    ExpireAfter(timeout);
    co_await lowest().async_connect(endpoints, Into(error));
    if (error) co_return Failure(error, "cannot connect to");
    fd_ = lowest().socket().native_handle();
    AddSocketOfThisProcess(fd_);
    error_code ignored;
    lowest().socket().set_option(tcp::no_delay(true), ignored);
    if (wire_->tls != nullptr) {
      absl::Status status = co_await ShakeHands(timeout);
      if (!status.ok()) co_return status;
    }
    Opened();
    co_return absl::OkStatus();
  }

  asio::awaitable<absl::Status> Ask(const HttpQuestion& question, absl::Duration timeout,
                                    HttpAnswer& answer) {
    reusable_ = false;
    answered_ = false;
    if (tls_ != nullptr) {
      absl::Status status = co_await Exchange(*tls_, question, timeout, answer);
      co_return status;
    }
    absl::Status status = co_await Exchange(stream_, question, timeout, answer);
    co_return status;
  }

  bool reusable() const {
    if (!reusable_ || fd_ < 0) return false;
    pollfd poller = {fd_, POLLIN | POLLRDHUP, 0};
    if (poll(&poller, 1, 0) == 0) return true;
    // A TLS node may have sent tickets for later sessions; any other byte is unasked for.
    return wire_->tls != nullptr && poller.revents == POLLIN;
  }
  bool was_answered() const { return answered_; }
  Instant idle_since() const { return idle_since_; }

  void Abort() {
    reusable_ = false;
    error_code ignored;
    // Reset, not a polite end, which may also come from who still wants his answer.
    if (fd_ >= 0) lowest().socket().set_option(asio::socket_base::linger(true, 0), ignored);
    Close();
  }

 private:
  beast::tcp_stream& lowest() { return tls_ != nullptr ? tls_->next_layer() : stream_; }

  void ExpireAfter(absl::Duration timeout) {
    if (timeout >= absl::Hours(24 * 365)) return lowest().expires_never();
    lowest().expires_after(absl::ToChronoNanoseconds(timeout));
  }

  void Opened() {
    reusable_ = true;
    idle_since_ = Clock::System().Now();
  }

  void Close() {
    if (fd_ >= 0) RemoveSocketOfThisProcess(fd_);
    fd_ = -1;
    resolver_.cancel();
    lowest().close();
  }

  absl::Status Failure(const error_code& error, absl::string_view what) const {
    const std::string where = wire_->address.ToString();
    if (error == beast::error::timeout) {
      return MakeError(ErrorKind::kTimeout, absl::StrCat(what, " ", where, " in time"));
    }
    const bool full = error == asio::error::no_descriptors || error == asio::error::no_memory;
    return MakeError(full ? ErrorKind::kCapacity : ErrorKind::kUnavailable,
                     absl::StrCat(what, " ", where, ": ", error.message()));
  }

  asio::awaitable<std::vector<tcp::endpoint>> Resolve(error_code& error) {
    std::vector<tcp::endpoint> endpoints;
    const HttpAddress& address = wire_->address;
    error_code not_numeric;
    const asio::ip::address numeric = asio::ip::make_address(address.host, not_numeric);
    if (!not_numeric) {
      endpoints.emplace_back(numeric, static_cast<uint16_t>(std::stoul(address.port)));
      co_return endpoints;
    }
    const tcp::resolver::results_type results =
        co_await resolver_.async_resolve(address.host, address.port, Into(error));
    for (const auto& entry : results) endpoints.push_back(entry.endpoint());
    co_return endpoints;
  }

  asio::awaitable<absl::Status> ShakeHands(absl::Duration timeout) {
    tls_ = std::make_unique<Tls>(std::move(stream_), *wire_->tls);
    const std::string& host = wire_->address.host;
    error_code error, not_numeric;
    asio::ip::make_address(host, not_numeric);
    // A numeric address is no server name (RFC 6066, 3).
    if (not_numeric) SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    if (wire_->verify) tls_->set_verify_callback(asio::ssl::host_name_verification(host), error);
    ExpireAfter(timeout);
    co_await tls_->async_handshake(asio::ssl::stream_base::client, Into(error));
    if (!error) co_return absl::OkStatus();
    if (IsTlsFailure(error) && SSL_get_verify_result(tls_->native_handle()) != X509_V_OK) {
      co_return MakeError(
          ErrorKind::kPermissionDenied,
          absl::StrCat("the node at ", wire_->address.ToString(),
                       " cannot prove who it is: ", error.message(),
                       "; name the authority that signed its certificate (a CA file)"));
    }
    co_return Failure(error, "cannot agree on TLS with");
  }

  std::string Head(const HttpQuestion& question) const {
    std::string head =
        absl::StrCat(question.method, " ", question.target,
                     " HTTP/1.1\r\nHost: ", wire_->address.authority, "\r\n", question.headers);
    if (!wire_->authorization.empty()) {
      absl::StrAppend(&head, "Authorization: ", wire_->authorization, "\r\n");
    }
    if (question.method != "GET" && question.method != "HEAD") {
      absl::StrAppend(&head, "Content-Length: ", question.body.size(), "\r\n");
    }
    head.append("\r\n");
    return head;
  }

  template <typename Stream>
  asio::awaitable<absl::Status> Exchange(Stream& stream, const HttpQuestion& question,
                                         absl::Duration timeout, HttpAnswer& answer) {
    error_code error;
    co_await SendQuestion(stream, question, timeout, error);
    if (error == beast::error::timeout) co_return Failure(error, "cannot send to");
    // A node that wants no more of a body may have answered before it hung up.
    error_code unread;
    absl::Status status = co_await Receive(stream, question, timeout, answer, unread);
    if (error && !answered_) co_return Failure(error, "cannot send to");
    if (error) reusable_ = false;
    co_return status;
  }

  template <typename Stream>
  asio::awaitable<void> SendQuestion(Stream& stream, const HttpQuestion& question,
                                     absl::Duration timeout, error_code& error) {
    const std::string head = Head(question);
    absl::string_view rest = question.body;
    const absl::string_view first = rest.substr(0, kSendBytes);
    const std::array<asio::const_buffer, 2> together = {asio::buffer(head),
                                                        asio::buffer(first.data(), first.size())};
    ExpireAfter(timeout);
    co_await asio::async_write(stream, together, Into(error));
    rest.remove_prefix(first.size());
    while (!error && !rest.empty()) {
      const absl::string_view next = rest.substr(0, kSendBytes);
      ExpireAfter(timeout);
      co_await asio::async_write(stream, asio::buffer(next.data(), next.size()), Into(error));
      rest.remove_prefix(next.size());
    }
  }

  template <typename Stream>
  asio::awaitable<absl::Status> Receive(Stream& stream, const HttpQuestion& question,
                                        absl::Duration timeout, HttpAnswer& answer,
                                        error_code& error) {
    http::response_parser<http::string_body> parser;
    // The limit is held against the length that the head tells, too, which is no failure here.
    parser.body_limit(boost::none);
    parser.skip(question.method == "HEAD");
    ExpireAfter(timeout);
    co_await http::async_read_header(stream, buffer_, parser, Into(error));
    answered_ = parser.got_some();
    if (error) co_return Unreadable(error);
    KeepHead(parser.get(), answer);
    if (const auto length = parser.content_length()) answer.content_length = *length;

    if (answer.status == 206 && question.into.data() != nullptr) {
      if (answer.content_length.value_or(question.into.size()) != question.into.size()) {
        co_return MakeError(ErrorKind::kCorrupt, "the node answered with another range");
      }
      if (answer.content_length) {
        co_await ReceiveInto(stream, question.into, timeout, answer.received, error);
      } else if (!co_await ReceiveChunks(stream, question.into, timeout, parser, answer, error)) {
        co_return MakeError(ErrorKind::kCorrupt, "the node answered with another range");
      }
    } else if (question.method != "HEAD") {
      co_await ReceiveBody(stream, question.max_body.value_or(kMaxBody), timeout, parser, answer,
                           error);
      if (answer.too_long && question.max_body) co_return absl::OkStatus();
    }
    if (error) co_return Unreadable(error);
    if (parser.keep_alive()) Opened();
    co_return absl::OkStatus();
  }

  template <typename Stream>
  asio::awaitable<void> ReceiveBody(Stream& stream, uint64_t max, absl::Duration timeout,
                                    http::response_parser<http::string_body>& parser,
                                    HttpAnswer& answer, error_code& error) {
    if (answer.content_length.value_or(0) > max) error = http::error::body_limit;
    answer.too_long = error == http::error::body_limit;
    if (error) co_return;
    parser.body_limit(max);
    ExpireAfter(timeout);
    co_await http::async_read(stream, buffer_, parser, Into(error));
    answer.too_long = error == http::error::body_limit;
    answer.body = std::move(parser.get().body());
  }

  // False when it was not as many bytes as there is room for.
  template <typename Stream>
  asio::awaitable<bool> ReceiveChunks(Stream& stream, absl::Span<char> into, absl::Duration timeout,
                                      http::response_parser<http::string_body>& parser,
                                      HttpAnswer& answer, error_code& error) {
    co_await ReceiveBody(stream, into.size(), timeout, parser, answer, error);
    if (error && !answer.too_long) co_return true;
    const std::string body = std::move(answer.body);
    answer.body.clear();
    if (answer.too_long || body.size() != into.size()) co_return false;
    std::copy(body.begin(), body.end(), into.begin());
    answer.received = body.size();
    co_return true;
  }

  template <typename Stream>
  asio::awaitable<void> ReceiveInto(Stream& stream, absl::Span<char> into, absl::Duration timeout,
                                    uint64_t& received, error_code& error) {
    // What came with the head.
    const size_t early = std::min(buffer_.size(), into.size());
    asio::buffer_copy(asio::buffer(into.data(), early), buffer_.data());
    buffer_.consume(early);
    received = early;
    while (!error && received < into.size()) {
      ExpireAfter(timeout);
      const absl::Span<char> rest = into.subspan(received);
      received +=
          co_await stream.async_read_some(asio::buffer(rest.data(), rest.size()), Into(error));
    }
  }

  absl::Status Unreadable(const error_code& error) const {
    const bool malformed =
        error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message;
    if (!malformed) return Failure(error, "no answer from");
    return MakeError(
        ErrorKind::kCorrupt,
        absl::StrCat(wire_->address.ToString(), " answered what is no HTTP: ", error.message()));
  }

  const std::shared_ptr<const HttpWire> wire_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;  // until tls_ has taken it over
  std::unique_ptr<Tls> tls_;
  beast::flat_buffer buffer_;
  int fd_ = -1;
  bool reusable_ = false;
  bool answered_ = false;
  Instant idle_since_;
};

HttpLine::HttpLine(asio::io_context& context, std::shared_ptr<const HttpWire> wire)
    : impl_(std::make_unique<Impl>(context, std::move(wire))) {}
HttpLine::~HttpLine() = default;

asio::awaitable<absl::Status> HttpLine::Open(absl::Duration timeout) {
  return impl_->Open(timeout);
}
asio::awaitable<absl::Status> HttpLine::Ask(const HttpQuestion& question, absl::Duration timeout,
                                            HttpAnswer& answer) {
  return impl_->Ask(question, timeout, answer);
}
bool HttpLine::reusable() const { return impl_->reusable(); }
bool HttpLine::was_answered() const { return impl_->was_answered(); }
Instant HttpLine::idle_since() const { return impl_->idle_since(); }
void HttpLine::Abort() { impl_->Abort(); }

}  // namespace packice
