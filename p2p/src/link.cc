#include "link.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Bytes that are moved at once: few enough to be hashed while they are in the cache.
constexpr size_t kChunkBytes = 256 << 10;
// What one link may move before it is the others' turn.
constexpr size_t kTurnBytes = 1 << 20;
// Of frames that the other end does not take. It asks for much and reads nothing.
constexpr size_t kMaxWaitingBytes = 64 << 20;
// When a silent connection is asked whether it still lives: after so long, so often, so many times.
constexpr int kKeepAliveSeconds = 20;
constexpr int kKeepAliveInterval = 5;
constexpr int kKeepAliveProbes = 3;

absl::Status Gone() {
  return MakeError(ErrorKind::kUnavailable, "the other node has closed the link");
}

// What fails here only makes the link slower to notice that its other end is gone.
void SetOptions(int socket, absl::Duration stall_timeout) {
  const int on = 1;
  const int patience = static_cast<int>(absl::ToInt64Milliseconds(stall_timeout));
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
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
      outbox_(context.options.send_path) {
  if (side == LinkSide::kDialled) {
    deadline_ = context.options.clock->Now() + context.options.connect_timeout;
  }
}

// --- its beginning ---

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
    if (!outbox_.empty()) outbox_.Send(*stream_, kChunkBytes, sent_);
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

// --- its end ---

void Link::HangUp() {
  if (over()) return;
  const std::shared_ptr<Link> self = shared_from_this();  // the table may hold the last one
  if (state_ == State::kUp && !outbox_.empty() && !awaits_writable_) {
    outbox_.Send(*stream_, kChunkBytes, sent_);
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

void Link::Close() {
  state_ = State::kOver;
  context_.forget(id_);
  stream_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
  // Stores hold leases: they are not kept for as long as a handler may hold the link.
  inbox_ = Inbox(context_.discard);
  outbox_ = Outbox(context_.options.send_path);
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

// --- bytes that come ---

void Link::AwaitReadable() {
  if (awaits_readable_) return;
  awaits_readable_ = true;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->awaits_readable_ = false;
                       if (error || self->over()) return;
                       self->Receive();
                       // Writing over TLS may have waited for this, too.
                       if (!self->over() && !self->awaits_writable_) self->Flush();
                     });
}

void Link::ReceiveLater() {
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->over() && !self->awaits_readable_) self->Receive();
  });
}

void Link::Receive() {
  for (size_t moved_bytes = 0; moved_bytes < kTurnBytes;) {
    iovec room[2];
    size_t rooms = 0;
    absl::Span<char> space;
    if (inbox_.left() > 0) {
      space = inbox_.Space(kChunkBytes);
      room[rooms++] = {space.data(), space.size()};
    }
    // With the end of a piece comes the head of the next.
    if (space.size() == inbox_.left()) {
      room[rooms++] = {context_.scratch.data(), context_.scratch.size()};
    }
    const LinkStream::Moved moved = stream_->Read(absl::MakeConstSpan(room, rooms));
    if (moved.bytes == 0) {
      if (moved.next == LinkStream::Next::kOver) {
        return Fail(moved.failure.ok() ? Gone() : moved.failure);
      }
      if (moved.next == LinkStream::Next::kAwaitWritable) AwaitWritable();
      return AwaitReadable();
    }
    heard_ = context_.options.clock->Now();
    moved_bytes += moved.bytes;
    const size_t in_space = std::min(moved.bytes, space.size());
    if (in_space > 0) Put(in_space);
    if (!over()) Take(absl::string_view(context_.scratch.data(), moved.bytes - in_space));
    if (over()) return;
  }
  ReceiveLater();
}

void Link::Put(size_t bytes) {
  inbox_.Filled(bytes);
  if (inbox_.left() == 0) EndPiece();
}

void Link::EndPiece() {
  const PieceFrame piece = inbox_.piece();
  const TransferEvents::PieceResult result = inbox_.Finish();
  context_.events->OnPiece(id_, piece.channel, piece.piece, result);
}

void Link::Take(absl::string_view bytes) {
  while (!bytes.empty() && !over()) {
    if (state_ == State::kGreeting) {
      TakeGreeting(bytes);
    } else if (inbox_.left() > 0) {
      const absl::Span<char> space = inbox_.Space(bytes.size());
      std::memcpy(space.data(), bytes.data(), space.size());
      bytes.remove_prefix(space.size());
      Put(space.size());
    } else {
      const absl::StatusOr<absl::optional<Frame>> frame = parser_.Next(bytes);
      if (!frame.ok()) return Fail(frame.status());
      if (frame->has_value()) TakeFrame(**frame);
    }
  }
}

void Link::TakeFrame(const Frame& frame) {
  if (const auto* piece = absl::get_if<PieceFrame>(&frame)) return inbox_.Begin(*piece);
  if (const auto* close = absl::get_if<CloseFrame>(&frame)) inbox_.Forget(close->channel);
  if (const auto* refused = absl::get_if<RefusedFrame>(&frame)) inbox_.Forget(refused->channel);
  context_.events->OnFrame(id_, frame);
}

// --- bytes that go ---

void Link::Send(const Frame& frame) {
  if (state_ != State::kUp) return;
  if (const auto* open = absl::get_if<OpenFrame>(&frame)) {
    if (open->want_manifest) parser_.AwaitManifest(open->channel);
  } else if (const auto* close = absl::get_if<CloseFrame>(&frame)) {
    parser_.ForgetManifest(close->channel);
    inbox_.Forget(close->channel);
  }
  outbox_.Add(frame);
  FlushSoon();
}

void Link::SendPiece(uint32_t channel, uint32_t piece, std::shared_ptr<PieceStore> store) {
  if (state_ != State::kUp) return;
  outbox_.AddPiece(channel, piece, std::move(store));
  FlushSoon();
}

void Link::ReceiveInto(uint32_t channel, std::shared_ptr<PieceStore> store) {
  if (!over()) inbox_.Fill(channel, std::move(store));
}

void Link::FlushSoon() {
  if (flush_is_due_ || awaits_writable_) return;
  flush_is_due_ = true;
  progress_ = context_.options.clock->Now();
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flush_is_due_ = false;
    if (!self->over() && !self->awaits_writable_) self->Flush();
  });
}

void Link::AwaitWritable() {
  if (awaits_writable_) return;
  awaits_writable_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->awaits_writable_ = false;
                       if (!error && !self->over()) self->Flush();
                     });
}

void Link::Flush() {
  if (outbox_.frame_bytes() > kMaxWaitingBytes) {
    return Fail(MakeError(ErrorKind::kUnavailable, "the other node asks for more than it reads"));
  }
  for (size_t moved_bytes = 0; !outbox_.empty() && moved_bytes < kTurnBytes;) {
    const LinkStream::Moved moved = outbox_.Send(*stream_, kTurnBytes, sent_);
    if (moved.bytes == 0) {
      if (moved.next == LinkStream::Next::kAwaitWritable) AwaitWritable();
      if (moved.next == LinkStream::Next::kOver) Lost(moved);
      return;
    }
    progress_ = context_.options.clock->Now();
    moved_bytes += moved.bytes;
    TellSent();
    if (over()) return;
  }
  if (!outbox_.empty()) FlushSoon();
}

void Link::TellSent() {
  const std::vector<Outbox::Sent> sent = std::exchange(sent_, {});
  for (const Outbox::Sent& piece : sent) {
    if (over()) return;
    context_.events->OnPieceSent(id_, piece.channel, piece.piece);
  }
}

void Link::Lost(const LinkStream::Moved& moved) {
  // What the other end said before it went may tell why.
  Receive();
  if (!over()) Fail(moved.failure.ok() ? Gone() : moved.failure);
}

}  // namespace packice
