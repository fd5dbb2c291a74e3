#include "http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace packice {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Base = http::basic_parser<true>;

// "DELETE " and " HTTP/1.1\r".
constexpr size_t kAroundTarget = 17;

HttpMethod MethodOf(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::head:
      return HttpMethod::kHead;
    case http::verb::post:
      return HttpMethod::kPost;
    case http::verb::put:
      return HttpMethod::kPut;
    case http::verb::delete_:
      return HttpMethod::kDelete;
    default:
      return HttpMethod::kOther;
  }
}

// What Beast calls as it reads. The names are its own.
class Reader final : public Base {
 public:
  Reader(HttpRequest& request, size_t max_header_bytes) : request_(request) {
    header_limit(static_cast<uint32_t>(max_header_bytes));
    body_limit(boost::none);  // the connection counts, and knows what the body is for
  }

  std::vector<absl::string_view>* body = nullptr;

 private:
  using string_view = beast::string_view;
  using error_code = beast::error_code;

  static std::string Text(string_view text) { return std::string(text.data(), text.size()); }

  void on_request_impl(http::verb verb, string_view, string_view target, int version,
                       error_code&) override {
    request_.method = MethodOf(verb);
    request_.target.assign(target.data(), target.size());
    request_.http_1_0 = version < 11;
  }

  void on_field_impl(http::field field, string_view name, string_view value,
                     error_code& error) override {
    if (is_header_done()) return;  // a trailer may not change what the head said
    switch (field) {
      case http::field::host:
        if (std::exchange(request_.has_host, true)) error = http::error::bad_field;
        return;
      case http::field::transfer_encoding:
        // In whichever of several fields: "gzip", then "chunked", is "gzip, chunked".
        request_.coded = request_.coded || !beast::iequals(value, "chunked");
        return;
      case http::field::expect:
        request_.expects_continue = beast::iequals(value, "100-continue");
        request_.expects_else = !request_.expects_continue;
        return;
      case http::field::origin:
        request_.has_origin = true;
        return;
      case http::field::authorization:
        return Keep(value, request_.authorization);
      case http::field::content_range:
        return Keep(value, request_.content_range);
      case http::field::if_match:
        return Add(value, request_.if_match);
      case http::field::if_none_match:
        return Add(value, request_.if_none_match);
      case http::field::if_range:
        return Keep(value, request_.if_range);
      case http::field::range:
        return Keep(value, request_.range);
      case http::field::unknown:
        if (beast::iequals(name, "Packice-Meta")) Keep(value, request_.metadata);
        return;
      default:
        return;
    }
  }
  static void Keep(string_view value, std::string& into) {
    into.assign(value.data(), value.size());
  }
  // Of lists, several fields are one (RFC 9110, 5.3).
  static void Add(string_view value, std::string& into) {
    if (!into.empty()) into.append(", ");
    into.append(value.data(), value.size());
  }

  void on_header_impl(error_code&) override {
    request_.keep_alive = keep_alive();
    request_.chunked = chunked();
    if (const auto length = content_length()) request_.content_length = *length;
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view bytes, error_code&) override {
    body->emplace_back(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view bytes, error_code& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}

  HttpRequest& request_;
};

HttpFailure FailureOf(const beast::error_code& error, size_t max_header_bytes) {
  if (error == http::error::header_limit) {
    return HttpFailure(
        431, ErrorKind::kInvalidArgument,
        absl::StrCat("the request line and headers have at most ", max_header_bytes, " bytes"));
  }
  if (error == http::error::bad_version) {
    return HttpFailure(505, ErrorKind::kUnsupported,
                       "this node speaks HTTP/1.1 (and 1.0), in plain text or within TLS as it was "
                       "told");
  }
  return HttpFailure(400, ErrorKind::kInvalidArgument,
                     absl::StrCat("the request is not HTTP: ", error.message()));
}

}  // namespace

// A request and its reader, which Beast has made for one message only.
class HttpParser::Message {
 public:
  void Begin(size_t max_header_bytes) {
    request = HttpRequest();
    reader.emplace(request, max_header_bytes);
  }

  HttpRequest request;
  absl::optional<Reader> reader;
};

HttpParser::HttpParser(size_t max_header_bytes, size_t max_target_bytes)
    : max_header_bytes_(max_header_bytes),
      max_target_bytes_(max_target_bytes),
      message_(std::make_unique<Message>()) {
  Next();
}
HttpParser::~HttpParser() = default;

HttpParser::Phase HttpParser::phase() const { return phase_; }
const HttpRequest& HttpParser::request() const { return message_->request; }
const HttpFailure& HttpParser::failure() const { return *failure_; }

void HttpParser::Next() {
  message_->Begin(max_header_bytes_);
  phase_ = Phase::kHead;
  head_bytes_ = 0;
}

size_t HttpParser::Read(absl::string_view bytes, std::vector<absl::string_view>& body) {
  if (phase_ == Phase::kHead) return ReadHead(bytes);
  if (phase_ == Phase::kBody) return ReadBody(bytes, body);
  return 0;
}

size_t HttpParser::ReadHead(absl::string_view bytes) {
  Reader& reader = *message_->reader;
  // Empty lines in front are skipped (RFC 9112, 2.2).
  size_t skipped = 0;
  if (head_bytes_ == 0) {
    while (bytes.size() - skipped >= 2 && bytes[skipped] == '\r' && bytes[skipped + 1] == '\n') {
      skipped += 2;
    }
    bytes.remove_prefix(skipped);
  }
  // Half of such a line.
  if (bytes.empty() || (head_bytes_ == 0 && bytes == "\r")) return skipped;
  beast::error_code error;
  const size_t read = reader.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  head_bytes_ += read;
  const size_t unread = reader.is_header_done() ? 0 : bytes.size() - read;
  if (!error || error == http::error::need_more) {
    // Beast holds the limit against one piece at a time.
    if (head_bytes_ + unread > max_header_bytes_) error = http::error::header_limit;
  }
  // Beast reads nothing before the head is whole, or as large as it may be.
  size_t target_bytes = message_->request.target.size();
  if (target_bytes == 0) target_bytes = std::min(bytes.find('\n'), bytes.size());
  const bool target_too_long =
      target_bytes > max_target_bytes_ + (message_->request.target.empty() ? kAroundTarget : 0);
  if (target_too_long && error != http::error::bad_version) {
    Fail(HttpFailure(414, ErrorKind::kInvalidArgument,
                     absl::StrCat("a target has at most ", max_target_bytes_, " bytes")));
  } else if (error && error != http::error::need_more) {
    Fail(FailureOf(error, max_header_bytes_));
  } else if (reader.is_header_done()) {
    CheckHead();
  }
  return skipped + read;
}

void HttpParser::CheckHead() {
  HttpRequest& request = message_->request;
  // Such a client knows no 100 (RFC 9110, 10.1.1).
  if (request.http_1_0) request.expects_continue = request.expects_else = false;
  if (!request.http_1_0 && !request.has_host) {
    return Fail(HttpFailure(400, ErrorKind::kInvalidArgument,
                            "an HTTP/1.1 request has one Host header (RFC 9112, 3.2)"));
  }
  if (request.coded) {
    return Fail(HttpFailure(501, ErrorKind::kUnsupported,
                            "of transfer codings this node knows chunked only"));
  }
  if (request.http_1_0 && request.chunked) {
    return Fail(HttpFailure(400, ErrorKind::kInvalidArgument,
                            "an HTTP/1.0 request cannot be chunked (RFC 9112, 6.1)"));
  }
  phase_ = message_->reader->is_done() ? Phase::kDone : Phase::kBody;
}

size_t HttpParser::ReadBody(absl::string_view bytes, std::vector<absl::string_view>& body) {
  Reader& reader = *message_->reader;
  reader.body = &body;
  size_t taken = 0;
  while (taken < bytes.size() && !reader.is_done()) {
    beast::error_code error;
    const size_t n =
        reader.put(boost::asio::const_buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += n;
    if (error == http::error::need_more) {
      // The line of a chunk, or the trailers behind the last one.
      if (bytes.size() - taken > max_header_bytes_) {
        Fail(FailureOf(http::error::header_limit, max_header_bytes_));
      }
      return taken;
    }
    if (error) {
      Fail(FailureOf(error, max_header_bytes_));
      return taken;
    }
  }
  if (reader.is_done()) phase_ = Phase::kDone;
  return taken;
}

void HttpParser::Fail(HttpFailure failure) {
  failure_.emplace(std::move(failure));
  phase_ = Phase::kFailed;
}

}  // namespace packice
