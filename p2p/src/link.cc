#include "link.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// When a silent connection is asked whether it still lives: after so long, so often, so many times.
constexpr int kKeepAliveSeconds = 20;
constexpr int kKeepAliveInterval = 5;
constexpr int kKeepAliveProbes = 3;

// Bytes that wait in the kernel: what leaves in half a millisecond, within limits. What is there
// cannot be called back, and a piece that has gone only that far seems to be sent: too many pieces
// would then be on their way at a time. With less, a fast connection runs dry while this thread
// comes back to it.
constexpr int kLeastUnsentBytes = 256 << 10;
constexpr int kMostUnsentBytes = 1 << 20;
constexpr absl::Duration kUnsentTime = absl::Microseconds(500);
// So often it is looked at how fast the connection is.
constexpr uint64_t kTuneBytes = 16 << 20;

void SetUnsent(int socket, int bytes) {
  setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

// What fails here only makes the link slower to notice that its other end is gone.
void SetOptions(int socket, absl::Duration stall_timeout) {
  const int on = 1;
  const int patience = static_cast<int>(absl::ToInt64Milliseconds(stall_timeout));
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  SetUnsent(socket, kLeastUnsentBytes);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepAliveSeconds, sizeof(int));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepAliveInterval, sizeof(int));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kKeepAliveProbes, sizeof(int));
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
}

}  // namespace

Link::Link(LinkId id, LinkSide side, Socket socket, LinkContext& context)
    : id_(id),
      side_(side),
      context_(context),
      socket_(std::move(socket)),
      told_(side == LinkSide::kDialled),
      parser_(side),
      inbox_(context.discard),
      outbox_(context.tls == nullptr ? context.options.send_path : SendPath::kWrite) {
  if (side == LinkSide::kDialled) {
    deadline_ = context.options.clock->Now() + context.options.connect_timeout;
  }
}

void Link::Connect(std::vector<Endpoint> endpoints) {
  if (over()) return;
  boost::asio::async_connect(
      socket_, endpoints,
      [self = shared_from_this()](boost::system::error_code error, const Endpoint&) {
        if (self->over()) return;
        if (!error) return self->Greet(absl::OkStatus());
        self->Fail(MakeError(ErrorKind::kUnavailable,
                             absl::StrCat("no connection to the other node: ", error.message())));
      });
}

void Link::Accepted(absl::Status turn_away) { Greet(std::move(turn_away)); }

void Link::Greet(absl::Status turn_away) {
  boost::system::error_code error;
  socket_.native_non_blocking(true, error);
  SetOptions(socket_.native_handle(), context_.options.stall_timeout);
  stream_ = context_.tls == nullptr
                ? MakePlainLinkStream(socket_.native_handle())
                : context_.tls->MakeStream(socket_.native_handle(), side_ == LinkSide::kDialled);
  handshake_ = std::make_unique<Handshake>(side_, context_.hello, context_.options.token,
                                           *context_.options.random);
  handshake_->TurnAway(std::move(turn_away));
  state_ = State::kGreeting;
  progress_ = context_.options.clock->Now();
  deadline_ = progress_ + context_.options.greeting_timeout;
  if (std::string hello = handshake_->Begin(); !hello.empty()) {
    outbox_.Add(std::move(hello));
    Flush();
  }
  if (!over()) AwaitReadable();
}

void Link::TakeGreeting(absl::string_view& bytes) {
  std::string answer;
  const absl::StatusOr<bool> done = handshake_->Take(bytes, answer);
  if (!answer.empty()) outbox_.Add(std::move(answer));
  if (!done.ok()) {
    if (!outbox_.empty()) outbox_.Send(*stream_, kTurnBytes, sent_);
    stream_->FinishWriting();
    return Fail(done.status());
  }
  FlushSoon();
  if (!*done) return;
  const std::unique_ptr<Handshake> handshake = std::move(handshake_);
  state_ = State::kUp;
  deadline_ = absl::InfiniteDuration();
  if (side_ == LinkSide::kDialled) return context_.events->OnLinkUp(id_);
  told_ = true;
  std::string peer = handshake->peer().address;
  if (peer.empty()) {
    boost::system::error_code error;
    const Endpoint remote = socket_.remote_endpoint(error);
    peer = absl::StrCat(remote.address().to_string(), ":", remote.port());
  }
  context_.events->OnAccepted(id_, peer);
}

void Link::NoteSent(size_t bytes) {
  progress_ = context_.options.clock->Now();
  sent_since_tuned_ += bytes;
  if (sent_since_tuned_ < kTuneBytes) return;
  const double least_seconds = 1e-6;
  const double seconds = std::max(absl::ToDoubleSeconds(progress_ - tuned_at_), least_seconds);
  const double unsent =
      static_cast<double>(sent_since_tuned_) / seconds * absl::ToDoubleSeconds(kUnsentTime);
  SetUnsent(socket_.native_handle(),
            static_cast<int>(std::clamp<double>(unsent, kLeastUnsentBytes, kMostUnsentBytes)));
  sent_since_tuned_ = 0;
  tuned_at_ = progress_;
}

void Link::HangUp() {
  if (over()) return;
  const std::shared_ptr<Link> self = shared_from_this();  // the table may hold the last one
  if (state_ == State::kUp && !outbox_.empty() && !awaits_writable_) {
    outbox_.Send(*stream_, kTurnBytes, sent_);
  }
  if (stream_ != nullptr) stream_->FinishWriting();
  Close();
}

void Link::Fail(const absl::Status& why) {
  if (over()) return;
  const std::shared_ptr<Link> self = shared_from_this();
  Close();
  if (told_) context_.events->OnLinkDown(id_, why);
}

absl::Status Link::WhyOver(const LinkStream::Moved& moved) {
  if (!moved.failure.ok()) return moved.failure;
  return MakeError(ErrorKind::kUnavailable, "the other node has closed the link");
}

void Link::Close() {
  state_ = State::kOver;
  context_.forget(id_);
  stream_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
  // Stores hold leases: they are not kept for as long as a handler may hold the link.
  inbox_ = Inbox(context_.discard);
  outbox_ = Outbox(SendPath::kWrite);
}

void Link::CheckDeadlines(Instant now) {
  if (now >= deadline_) {
    return Fail(MakeError(ErrorKind::kUnavailable, state_ == State::kConnecting
                                                       ? "the other node does not answer the dial"
                                                       : "the other node does not greet"));
  }
  const absl::Duration patience = context_.options.stall_timeout;
  if (!outbox_.empty() && now - progress_ >= patience) {
    return Fail(MakeError(ErrorKind::kUnavailable, "the other node takes no bytes any more"));
  }
  // Half a frame takes memory, half a piece its place in the store.
  if ((parser_.in_frame() || inbox_.left() > 0) && now - heard_ >= patience) {
    Fail(MakeError(ErrorKind::kUnavailable, "the other node has stopped within a frame"));
  }
}

}  // namespace packice
