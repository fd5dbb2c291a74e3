// How a link sends what waits in its outbox.
#include <boost/asio/post.hpp>
#include <utility>

#include "link.h"
#include "packice/core/error.h"

namespace packice {

void Link::Send(const Frame& frame) {
  if (state_ != State::kUp) return;
  if (const auto* open = absl::get_if<OpenFrame>(&frame)) {
    if (open->want_manifest) parser_.AwaitManifest(open->channel);
    if (open->eager_bytes > 0) inbox_.Keep(open->channel, open->eager_bytes);
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
  if (over()) return;
  for (const auto& [piece, result] : inbox_.Fill(channel, std::move(store))) {
    boost::asio::post(socket_.get_executor(),
                      [self = shared_from_this(), channel, piece = piece, result = result] {
                        if (self->over()) return;
                        self->context_.events->OnPiece(self->id_, channel, piece, result);
                      });
  }
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
  if (outbox_.frame_bytes() > kMaxWaitingBytes) return FailAsGreedy();
  for (size_t moved_bytes = 0; !outbox_.empty() && moved_bytes < kTurnBytes;) {
    const LinkStream::Moved moved = outbox_.Send(*stream_, kTurnBytes, sent_);
    if (moved.bytes == 0) {
      if (moved.next == LinkStream::Next::kAwaitWritable) AwaitWritable();
      if (moved.next == LinkStream::Next::kOver) Lost(moved);
      return;
    }
    NoteSent(moved.bytes);
    moved_bytes += moved.bytes;
    TellSent();
    if (over()) return;
  }
  if (!outbox_.empty()) FlushSoon();
}

void Link::FailAsGreedy() {
  Fail(MakeError(ErrorKind::kUnavailable, "the other node asks for more than it reads"));
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
  if (!over()) Fail(WhyOver(moved));
}

}  // namespace packice
