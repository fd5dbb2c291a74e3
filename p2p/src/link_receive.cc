// What a link does with the bytes that come.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>

#include "link.h"

namespace packice {
namespace {

// Bytes that are read at once: few enough to be hashed while they are in the cache.
constexpr size_t kChunkBytes = 256 << 10;

}  // namespace

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
        return Fail(WhyOver(moved));
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
  const absl::optional<TransferEvents::PieceResult> result = inbox_.Finish();
  if (result) context_.events->OnPiece(id_, piece.channel, piece.piece, *result);
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
      // Within one turn there is room for many questions with long answers.
      if (outbox_.frame_bytes() > kMaxWaitingBytes) return FailAsGreedy();
    }
  }
}

void Link::TakeFrame(const Frame& frame) {
  if (const auto* piece = absl::get_if<PieceFrame>(&frame)) {
    inbox_.Begin(*piece);
    return context_.events->OnPieceBegins(id_, piece->channel, piece->piece);
  }
  if (const auto* close = absl::get_if<CloseFrame>(&frame)) inbox_.Forget(close->channel);
  if (const auto* refused = absl::get_if<RefusedFrame>(&frame)) inbox_.Forget(refused->channel);
  context_.events->OnFrame(id_, frame);
}

}  // namespace packice
