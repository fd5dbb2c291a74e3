#include "http_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

namespace asio = boost::asio;

constexpr size_t kReadBytes = 16 * 1024;
// Answers are sent together, up to this much.
constexpr size_t kFlushBytes = 64 * 1024;
// What has to be through within each stall_timeout.
constexpr uint64_t kProgressBytes = 64 * 1024;
// How long a client may take to read why it is cut off.
constexpr absl::Duration kLinger = absl::Seconds(2);

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<HttpStream> stream, HttpNode& node,
                               std::function<void(HttpConnection*)> closed)
    : stream_(std::move(stream)),
      node_(node),
      closed_(std::move(closed)),
      parser_(node.options.max_header_bytes, node.options.max_target_bytes),
      patience_(executor()),
      wake_(executor()) {
  caller_.takes_descriptors = false;
  wake_.expires_at(asio::steady_timer::time_point::max());
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::Start() {
  asio::co_spawn(
      executor(), [self = shared_from_this()] { return self->Serve(); }, asio::detached);
}

void HttpConnection::EndWaits() {
  draining_ = true;
  if (operation_ != OperationId::kNone) node_.dispatcher.Cancel(operation_);
}

void HttpConnection::Drain() {
  draining_ = true;
  // What the client sent before is read and answered, then the end of the stream shows. A request
  // that is half read goes on.
  boost::system::error_code ignored;
  if (idle_) stream_->socket().shutdown(HttpStream::Socket::shutdown_receive, ignored);
}

void HttpConnection::Close() {
  broken_ = true;
  // Closed by Serve, at the end: on another thread a file may be on its way to this descriptor.
  boost::system::error_code ignored;
  stream_->socket().shutdown(HttpStream::Socket::shutdown_both, ignored);
  stream_->socket().cancel(ignored);
  if (operation_ != OperationId::kNone) node_.dispatcher.Cancel(operation_);
  wake_.cancel(ignored);
}

void HttpConnection::Sweep(Instant now) {
  if (now > deadline_) {
    // Again and again, until somebody waits for the socket.
    timed_out_ = true;
    boost::system::error_code ignored;
    stream_->socket().cancel(ignored);
  } else if (operation_ != OperationId::kNone && IsAlone()) {
    node_.dispatcher.Cancel(operation_);
  }
}

// The client has closed or cut the connection. The kernel is asked, because nobody reads the socket
// while a request waits.
bool HttpConnection::IsAlone() const {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  return getsockopt(stream_->socket().native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state != TCP_ESTABLISHED;
}

asio::awaitable<void> HttpConnection::Serve() {
  boost::system::error_code error;
  SetDeadline(node_.options.header_timeout);
  co_await stream_->Handshake(error);
  if (!error) {
    co_await ServeRequests();
    if (!broken_) co_await Flush();
    if (!broken_) co_await Linger();
  }
  broken_ = true;
  if (session_ != SessionId::kNone) node_.dispatcher.peer().EndSession(session_);
  stream_->socket().close(error);
  closed_(this);
}

asio::awaitable<void> HttpConnection::ServeRequests() {
  while (!broken_) {
    Parse();
    if (parser_.phase() == HttpParser::Phase::kHead) co_await ReadHead();
    if (broken_) co_return;
    keep_ =
        !draining_ && parser_.phase() != HttpParser::Phase::kFailed && parser_.request().keep_alive;
    continued_ = false;
    if (parser_.phase() == HttpParser::Phase::kFailed) {
      QueueFailure(parser_.failure());
    } else if (!RespondAtOnce()) {
      co_await Respond();
    }
    passes_.clear();
    if (!keep_) co_return;
    // A body that nobody wanted stands in front of the next request: see Fail.
    parser_.Next();
    pieces_.clear();
    if (++answered_ >= node_.options.max_pipelined || output_.size() >= kFlushBytes) {
      if (!FlushAtOnce()) co_await Flush();
    }
  }
}

// To the end of the head, or to what is wrong with it.
asio::awaitable<void> HttpConnection::ReadHead() {
  if (!FlushAtOnce()) co_await Flush();
  bool begun = !input_.empty();
  SetDeadline(begun ? node_.options.header_timeout : node_.options.idle_timeout);
  while (!broken_ && parser_.phase() == HttpParser::Phase::kHead) {
    idle_ = !begun;
    if (idle_ && draining_) Drain();
    co_await Fill(input_.Room(kReadBytes));
    idle_ = false;
    if (broken_ && timed_out_ && begun) {
      co_await SayTimeout("the request's headers took too long to come");
    }
    if (broken_) co_return;
    if (!std::exchange(begun, true)) SetDeadline(node_.options.header_timeout);
    Parse();
  }
  deadline_ = absl::InfiniteDuration();
}

// The last thing that a client hears that was too slow.
asio::awaitable<void> HttpConnection::SayTimeout(absl::string_view why) {
  broken_ = false;
  keep_ = false;
  timed_out_ = false;
  QueueFailure(HttpFailure(408, ErrorKind::kTimeout, why));
  co_await Flush();
  if (!broken_) co_await Linger();
  broken_ = true;
}

// Reads at least a byte, or finds the connection broken.
asio::awaitable<void> HttpConnection::Fill(absl::Span<char> room) {
  boost::system::error_code error;
  const size_t n = co_await stream_->ReadSome(room, error);
  input_.Filled(n);
  node_.metrics.CountReceived(Transport::kHttp, n);
  if (error || n == 0) broken_ = true;
}

// The same within a body, which has to come at a certain pace.
asio::awaitable<void> HttpConnection::FillBody(absl::Span<char> room) {
  const size_t before = input_.bytes().size();
  co_await Fill(room);
  Progress(input_.bytes().size() - before);
  if (timed_out_) co_await SayTimeout("the request's body took too long to come");
}

void HttpConnection::Parse() {
  const size_t n = parser_.Read(input_.bytes(), pieces_);
  input_.Consume(n);
}

// Sends what the socket takes. False when that is not all.
bool HttpConnection::FlushAtOnce() {
  if (output_.empty()) return true;
  boost::system::error_code error;
  const size_t n = stream_->TryWrite(absl::string_view(output_).substr(sent_), error);
  node_.metrics.CountSent(Transport::kHttp, n);
  sent_ += n;
  if (error) broken_ = true;
  if (sent_ < output_.size() && !broken_) return false;
  ForgetOutput();
  return true;
}

asio::awaitable<void> HttpConnection::Flush() {
  SetDeadline(node_.options.stall_timeout);
  while (!broken_ && sent_ < output_.size()) {
    boost::system::error_code error;
    const absl::string_view rest = absl::string_view(output_).substr(sent_);
    const size_t n = co_await stream_->WriteSome(rest, error);
    node_.metrics.CountSent(Transport::kHttp, n);
    sent_ += n;
    Progress(n);
    if (error) broken_ = true;
  }
  ForgetOutput();
  deadline_ = absl::InfiniteDuration();
}

void HttpConnection::ForgetOutput() {
  output_.clear();
  if (output_.capacity() > 2 * kFlushBytes) output_.shrink_to_fit();
  sent_ = 0;
  answered_ = 0;
}

// Lets the client read the last answer: closing a socket that has unread bytes resets the
// connection, and takes what the client has not read yet with it (RFC 9112, 9.6).
asio::awaitable<void> HttpConnection::Linger() {
  SetDeadline(kLinger);
  co_await stream_->ShutDown();
  boost::system::error_code error;
  const bool unread = parser_.phase() != HttpParser::Phase::kDone || !input_.empty() ||
                      stream_->socket().available(error) > 0;
  while (unread && !error && !broken_ && !timed_out_) {
    const absl::Span<char> room = input_.Room(kReadBytes);
    co_await stream_->socket().async_read_some(asio::buffer(room.data(), room.size()),
                                               asio::redirect_error(asio::use_awaitable, error));
  }
}

void HttpConnection::SetDeadline(absl::Duration patience) {
  deadline_ = node_.metrics.Now() + patience;
  progress_ = 0;
}

void HttpConnection::Progress(size_t bytes) {
  progress_ += bytes;
  if (progress_ >= kProgressBytes) SetDeadline(node_.options.stall_timeout);
}

asio::awaitable<void> HttpConnection::UntilFinished(const bool& finished) {
  while (!finished) {
    boost::system::error_code ignored;
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace packice
