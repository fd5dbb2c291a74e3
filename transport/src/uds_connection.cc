#include "uds_connection.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"
#include "session_pids.h"
#include "unix_socket.h"

namespace packice {
namespace {

namespace asio = boost::asio;

// A connection that owes its client this much is not read from until the client has taken it.
constexpr size_t kMaxOutput = 1 << 20;
// Neither is one whose requests that wait take this much, until there are fewer. Each counts as its
// payload and a little more.
constexpr size_t kMaxWaiting = 16 << 20;
constexpr size_t kWaitBytes = 1024;
// Answered requests are sent together, up to this much.
constexpr size_t kFlushBytes = 64 * 1024;
constexpr auto kRetryPause = std::chrono::milliseconds(5);
// How old a read without a message is at most when the node hears of it.
constexpr auto kCollectPause = std::chrono::milliseconds(100);

}  // namespace

// A request between its call and its answer. The two parties, the connection that made the call and
// whoever completes it, meet in `turn`: the second one goes on.
struct UdsConnection::Pending {
  enum Turn { kCalling, kAnswered, kReturned };

  std::shared_ptr<UdsConnection> connection;
  std::string seq;
  OperationId operation = OperationId::kNone;
  std::atomic<Turn> turn{kCalling};
  Answer answer;
  // Of a put that others may overtake: theirs come where its bytes were.
  std::string payload;
  // Ends a wait for events, which has no deadline of its own. Touched on the connection's thread.
  absl::optional<asio::steady_timer> patience;

  static void Complete(const std::shared_ptr<Pending>& pending, Answer answer) {
    pending->answer = std::move(answer);
    if (pending->turn.exchange(kAnswered) != kReturned) return;
    auto executor = pending->connection->socket_.get_executor();
    asio::post(executor, [pending] { pending->connection->Finished(pending); });
  }
};

UdsConnection::UdsConnection(Socket socket, Dispatcher& dispatcher, NodeMetrics& metrics,
                             absl::Duration send_timeout, uint64_t& requests, Owner owner)
    : socket_(std::move(socket)),
      dispatcher_(dispatcher),
      metrics_(metrics),
      send_timeout_(send_timeout),
      requests_(requests),
      owner_(std::move(owner)),
      wake_(socket_.get_executor()),
      collect_(socket_.get_executor()),
      stalled_(socket_.get_executor()),
      retry_(socket_.get_executor()) {
  caller_.session = NewSessionId();
  if (const absl::optional<int> pid = PeerPid(socket_.native_handle())) {
    SessionPids::Add(caller_.session, *pid);
  }
  wake_.expires_at(asio::steady_timer::time_point::max());
}

UdsConnection::~UdsConnection() { SessionPids::Remove(caller_.session); }

void UdsConnection::Start() {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->Serve(); },
      asio::detached);
}

void UdsConnection::EndWaits() {
  draining_ = true;
  CancelWaits();
}

void UdsConnection::Drain() {
  boost::system::error_code ignored;
  if (caller_.segments || handed_.any()) {
    // This side has to be open for the client's end to show.
    reads_no_further_ = true;
    socket_.cancel(ignored);
  } else {
    // What the client sent before is read and answered, then the end of the stream shows.
    socket_.shutdown(Socket::shutdown_receive, ignored);
    deaf_ = true;
  }
}

void UdsConnection::Close() {
  hung_up_ = true;
  abandoned_ = handed_.any() && !ClientIsGone();
  boost::system::error_code ignored;
  socket_.close(ignored);
  CancelWaits();
  wake_.cancel(ignored);
}

void UdsConnection::Cut() {
  if (!handed_.any()) return Close();
  cut_ = true;
  muted_ = true;
  DropOutput();
  CancelWaits();
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

bool UdsConnection::ClientIsGone() {
  pollfd poller = {socket_.native_handle(), 0, 0};
  return poll(&poller, 1, 0) == 1 && (poller.revents & POLLHUP) != 0;
}

asio::awaitable<void> UdsConnection::Serve() {
  co_await ServeLines();
  if (input_.lost()) CancelWaits();
  // A client that only shut down its sending side still gets its answers.
  if (!waiting_.empty() || !flushed()) WatchForHangUp();
  while (!hung_up_ && (!waiting_.empty() || !flushed())) co_await Pause();
  hang_up_watch_.emit(asio::cancellation_type::all);
  if (deaf_ && handed_.any()) {
    // It announced segments when this side had been shut, so that its end would not show.
    abandoned_ |= !ClientIsGone();
  } else if (!hung_up_ && !at_end_ && handed_.any()) {
    co_await Linger();
  }
  if (abandoned_) {
    caller_.KeepForEver();
  } else {
    dispatcher_.peer().EndSession(caller_.session);
  }
  caller_.reads.reset();
  // Ended waits are on their way back here.
  while (!waiting_.empty()) co_await Pause();
  boost::system::error_code ignored;
  stalled_.cancel(ignored);
  retry_.cancel(ignored);
  collect_.cancel(ignored);
  socket_.close(ignored);
  owner_.closed(this);
}

asio::awaitable<void> UdsConnection::Linger() {
  lingers_ = true;
  owner_.lingers();
  boost::system::error_code error;
  stalled_.cancel(error);
  // The client learns that it gets no more answers, and goes when nobody looks any more.
  socket_.shutdown(Socket::shutdown_send, error);
  do {
    const absl::Span<char> room = input_.Room();
    co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                     asio::redirect_error(asio::use_awaitable, error));
  } while (!error || (error == asio::error::operation_aborted && socket_.is_open()));
}

asio::awaitable<void> UdsConnection::ServeLines() {
  while (true) {
    while (auto request = input_.Next(dispatcher_.extension_ops())) {
      if (std::shared_ptr<Pending> pending = Begin(*std::move(request))) {
        Flush();
        ordered_ = pending;
        WatchForHangUp();
        while (ordered_ != nullptr) co_await Pause();
        hang_up_watch_.emit(asio::cancellation_type::all);
      }
      if (waiting_bytes_ >= kMaxWaiting) {
        Flush();
        WatchForHangUp();
        while (waiting_bytes_ >= kMaxWaiting && !hung_up_ && !cut_) co_await Pause();
        hang_up_watch_.emit(asio::cancellation_type::all);
      }
      if (output_.size() >= kFlushBytes) Flush();
      while (output_.size() >= kMaxOutput && !hung_up_ && !cut_) co_await Pause();
      if (cut_) co_return;
    }
    Flush();
    if (input_.lost() || cut_ || (hung_up_ && !socket_.is_open())) co_return;

    absl::Span<char> room = input_.Room();
    boost::system::error_code error;
    if (reads_no_further_) {
      if (!to_read_) to_read_ = socket_.available(error);
      if (to_read_ == size_t{0}) co_return;
      room = room.first(std::min(room.size(), *to_read_));
    }
    const size_t n = co_await socket_.async_read_some(
        asio::buffer(room.data(), room.size()), asio::redirect_error(asio::use_awaitable, error));
    input_.Filled(n);
    if (to_read_) *to_read_ -= n;
    metrics_.CountReceived(Transport::kUds, n);
    ++requests_;
    at_end_ = error && error != asio::error::operation_aborted;
    // Drain, or Cut, wants to go on here.
    if (error && (at_end_ || !socket_.is_open())) co_return;
  }
}

asio::awaitable<void> UdsConnection::Pause() {
  boost::system::error_code ignored;
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

std::shared_ptr<UdsConnection::Pending> UdsConnection::Begin(DecodedRequest decoded) {
  if (!decoded.request.ok()) {
    Queue(Answer{decoded.request.status(), {}}, decoded.seq);
    return nullptr;
  }
  const bool first_index = decoded.request->op == Op::kIndex && caller_.reads == nullptr;
  const auto* acquire = absl::get_if<AcquireRequest>(&decoded.request->body);
  const auto* events = absl::get_if<EventsRequest>(&decoded.request->body);
  const auto* extension = absl::get_if<ExtensionRequest>(&decoded.request->body);
  auto* put = absl::get_if<PutMessage>(&decoded.request->body);
  const absl::Duration wait = acquire != nullptr     ? acquire->wait
                              : events != nullptr    ? events->wait
                              : extension != nullptr ? extension->wait
                              : put != nullptr       ? put->put.wait
                                                     : absl::ZeroDuration();
  const bool may_overtake = !decoded.seq.empty() && wait > absl::ZeroDuration();
  const bool ends_by_timer = events != nullptr;
  auto pending = std::make_shared<Pending>();
  pending->connection = shared_from_this();
  pending->seq = std::move(decoded.seq);
  pending->operation = NewOperationId();
  if (put != nullptr && may_overtake) {
    pending->payload = std::string(put->put.bytes);
    put->put.bytes = pending->payload;
  }
  dispatcher_.Dispatch(*std::move(decoded.request), caller_, pending->operation,
                       [pending](Answer answer) { Pending::Complete(pending, std::move(answer)); });
  if (first_index) CollectReads();
  if (pending->turn.exchange(Pending::kReturned) == Pending::kAnswered) {
    Queue(std::move(pending->answer), pending->seq);
    return nullptr;
  }
  waiting_.insert(pending);
  waiting_bytes_ += kWaitBytes + pending->payload.size();
  if (ends_by_timer) EndAfter(*pending, wait);
  // One that came in while everything is being ended waits for nothing.
  if (draining_ || hung_up_) dispatcher_.Cancel(pending->operation);
  return may_overtake ? nullptr : pending;
}

void UdsConnection::CollectReads() {
  if (caller_.reads == nullptr) return;
  caller_.reads->Collect();
  collect_.expires_after(kCollectPause);
  collect_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const std::shared_ptr<UdsConnection> self = weak.lock();
    if (!error && self != nullptr) self->CollectReads();
  });
}

void UdsConnection::EndAfter(Pending& pending, absl::Duration wait) {
  pending.patience.emplace(socket_.get_executor());
  pending.patience->expires_after(absl::ToChronoMicroseconds(wait));
  pending.patience->async_wait([this, self = shared_from_this(),
                                operation = pending.operation](boost::system::error_code error) {
    if (!error) dispatcher_.Cancel(operation);
  });
}

void UdsConnection::Finished(const std::shared_ptr<Pending>& pending) {
  ++requests_;
  pending->patience.reset();
  waiting_.erase(pending);
  waiting_bytes_ -= kWaitBytes + pending->payload.size();
  if (draining_ && absl::holds_alternative<absl::Status>(pending->answer.reply)) {
    pending->answer.reply = MakeError(ErrorKind::kUnavailable, "the node is shutting down");
  }
  Queue(std::move(pending->answer), pending->seq);
  if (ordered_ == pending) {
    ordered_ = nullptr;
  } else {
    Flush();
  }
  wake_.cancel();
}

void UdsConnection::Queue(Answer answer, absl::string_view seq) {
  if (muted_) return;
  handed_.Prepare(answer);
  if (!answer.descriptors.empty()) {
    riders_.push_back(Rider{queued_, std::move(answer.descriptors)});
  }
  const size_t before = output_.size();
  EncodeReply(answer.reply, seq, output_);
  queued_ += output_.size() - before;
}

void UdsConnection::Flush() {
  if (sending_ || flushed() || !socket_.is_open()) return;
  while (!flushed()) {
    if (!SendSome()) return;
  }
  output_.clear();
  wake_.cancel();
}

// False when it has to be gone on with later, or never.
bool UdsConnection::SendSome() {
  std::vector<int> descriptors;
  uint64_t end = queued_;
  if (!riders_.empty() && riders_.front().position == sent_) {
    for (const FdDescriptor& rider : riders_.front().descriptors) {
      descriptors.push_back(rider.fd->get());
    }
    if (riders_.size() > 1) end = riders_[1].position;
  } else if (!riders_.empty()) {
    end = riders_.front().position;
  }
  // Of output_, what lies before sent_ is cut off only now and then.
  const absl::string_view bytes(&output_[output_.size() - (queued_ - sent_)], end - sent_);
  const ssize_t n = SendWithDescriptors(socket_.native_handle(), bytes, descriptors, MSG_DONTWAIT);
  if (n > 0) {
    if (!descriptors.empty()) riders_.pop_front();
    sent_ += static_cast<uint64_t>(n);
    metrics_.CountSent(Transport::kUds, static_cast<uint64_t>(n));
    if (std::exchange(crowded_, false)) stalled_.cancel();
    if (static_cast<size_t>(n) == bytes.size()) return true;
  }
  if (n > 0 || n == -EAGAIN || n == -EWOULDBLOCK) {
    FlushWhenWritable();
  } else if (n == -ETOOMANYREFS || n == -ENOMEM || n == -ENOBUFS) {
    // Too many descriptors are in flight in the whole system (unix(7)); clients take them out
    // again.
    FlushLater();
  } else {
    // The client does not listen any more. What it asked for before it went is done all the same.
    muted_ = true;
    DropOutput();
  }
  return false;
}

void UdsConnection::DropOutput() {
  output_.clear();
  riders_.clear();
  sent_ = queued_;
  wake_.cancel();
}

void UdsConnection::FlushWhenWritable() {
  sending_ = true;
  output_.erase(0, output_.size() - (queued_ - sent_));
  crowded_ = false;
  CutIfStalled();
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code) {
    self->sending_ = false;
    self->stalled_.cancel();
    // Also when it was cancelled, together with a read.
    self->Flush();
    self->wake_.cancel();
  });
}

void UdsConnection::CutIfStalled() {
  stalled_.expires_after(absl::ToChronoMilliseconds(send_timeout_));
  stalled_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->Cut();
  });
}

void UdsConnection::FlushLater() {
  sending_ = true;
  // Those in flight may be this client's own, unread.
  if (!std::exchange(crowded_, true)) CutIfStalled();
  retry_.expires_after(kRetryPause);
  retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    self->sending_ = false;
    if (!error) self->Flush();
    self->wake_.cancel();
  });
}

// While a request holds up those behind it, or the client has said all it has to say, nobody reads
// the socket; that the client is gone must be noticed all the same. Not watched for at other times:
// Asio then needs one system call more for every read.
void UdsConnection::WatchForHangUp() {
  socket_.async_wait(
      Socket::wait_error,
      asio::bind_cancellation_slot(hang_up_watch_.slot(),
                                   [self = shared_from_this()](boost::system::error_code error) {
                                     if (error) return;
                                     self->hung_up_ = true;
                                     self->CancelWaits();
                                     self->wake_.cancel();
                                   }));
}

void UdsConnection::CancelWaits() {
  const auto waiting = waiting_;
  for (const auto& pending : waiting) dispatcher_.Cancel(pending->operation);
}

}  // namespace packice
