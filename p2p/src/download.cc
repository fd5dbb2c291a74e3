#include "download.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace packice {

Download::Download(EngineContext& context, LinkPool& pool, SourceSet& set,
                   std::shared_ptr<PieceStore> store)
    : context_(context),
      pool_(pool),
      set_(set),
      store_(std::move(store)),
      picker_(store_->manifest()->pieces(), context.random),
      last_piece_(context.Now()) {
  const Manifest& manifest = *store_->manifest();
  const uint32_t pieces = manifest.pieces();
  for (uint32_t piece = 0; piece < pieces && store_->pieces_held() > 0; ++piece) {
    if (!store_->Held(piece)) continue;
    picker_.Got(piece);
    bytes_done_ += manifest.PieceBytes(piece);
  }
}

bool Download::Add(Source& source, const std::vector<bool>& held) {
  const Manifest& manifest = *store_->manifest();
  const uint32_t pieces = manifest.pieces();
  if (!held.empty() && held.size() != pieces) return false;
  source.has = PieceSet(held.empty() ? 0 : pieces);
  for (uint32_t piece = 0; piece < held.size(); ++piece) {
    if (held[piece]) source.has.Insert(piece);
  }
  source.complete = held.empty() || source.has.full();
  if (!source.complete) {
    ++partial_;
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      if (source.has.Has(piece)) picker_.Seen(piece);
    }
  }
  context_.network.ReceiveInto(source.channel.link, source.channel.number, store_);
  if (source.asked_eager && held.empty() && manifest.size() <= context_.options.eager_bytes) {
    // They are on their way unasked.
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      if (picker_.Missing(piece)) Ask(source, piece);
    }
    asking_.clear();
  }
  Fill(source);
  return true;
}

void Download::Remove(Source& source) {
  while (!source.requests.empty()) {
    Withdraw(source, source.requests.back().piece, /*tell=*/false);
  }
  if (!source.complete) {
    --partial_;
    for (uint32_t piece = 0; piece < source.has.pieces(); ++piece) {
      if (source.has.Has(piece)) picker_.Unseen(piece);
    }
  }
  FillAll();
}

bool Download::OnHave(Source& source, const std::vector<uint32_t>& pieces) {
  const uint32_t count = store_->manifest()->pieces();
  for (uint32_t piece : pieces) {
    if (piece >= count) return false;
    if (source.complete || !source.has.Insert(piece)) continue;
    picker_.Seen(piece);
    TakeFromComplete(piece);
  }
  if (!source.complete && source.has.full()) {
    for (uint32_t piece = 0; piece < count; ++piece) picker_.Unseen(piece);
    source.complete = true;
    --partial_;
  }
  Fill(source);
  return true;
}

// A partial source has got what a complete one was asked for: let that one give what only it has.
void Download::TakeFromComplete(uint32_t piece) {
  if (!picker_.Missing(piece) || picker_.askings(piece) == 0) return;
  for (const auto& source : set_.sources()) {
    if (source->open && source->complete && Withdraw(*source, piece, /*tell=*/true)) Fill(*source);
  }
}

void Download::OnPieceBegins(Source& source, uint32_t piece) {
  for (Source::Request& request : source.requests) {
    if (request.piece != piece || request.arriving) continue;
    request.arriving = true;
    picker_.Arriving(piece, true);
  }
  WithdrawElsewhere(source, piece);
}

void Download::WithdrawElsewhere(const Source& source, uint32_t piece) {
  for (const auto& other : set_.sources()) {
    if (other.get() == &source) continue;
    if (Withdraw(*other, piece, /*tell=*/true)) Fill(*other);
  }
}

bool Download::OnPiece(Source& source, uint32_t piece) {
  const Manifest& manifest = *store_->manifest();
  if (piece >= manifest.pieces()) return false;
  const uint64_t bytes = manifest.PieceBytes(piece);
  const Instant now = context_.Now();
  for (const Source::Request& request : source.requests) {
    if (request.piece == piece) LearnWindow(source, now - request.asked_at);
  }
  Withdraw(source, piece, /*tell=*/false);
  // Whether this piece or another one of the same number was right: it is here.
  const bool fresh = picker_.Missing(piece) && store_->Held(piece);
  if (fresh) {
    picker_.Got(piece);
    bytes_done_ += bytes;
    last_piece_ = now;
    source.bytes += bytes;
    source.rate.Add(static_cast<double>(bytes), now);
    rate_.Add(static_cast<double>(bytes), now);
    context_.counters.received_bytes += bytes;
    WithdrawElsewhere(source, piece);
  } else {
    context_.counters.wasted_bytes += bytes;
  }
  Fill(source);
  FillAll();
  return fresh;
}

void Download::Tick(Instant now) {
  std::vector<Source*> slow;
  for (const auto& source : set_.sources()) {
    if (source->requests.empty()) source->since = now;
    if (source->open && now - source->since >= Patience(*source, now)) {
      slow.push_back(source.get());
    }
  }
  for (Source* source : slow) {
    if (!source->gone) set_.LeaveSlow(*source);
  }
  FillAll();
}

// A piece that comes may be a large one on a slow link.
absl::Duration Download::Patience(const Source& source, Instant now) const {
  const bool arriving =
      std::any_of(source.requests.begin(), source.requests.end(),
                  [](const Source::Request& request) { return request.arriving; });
  const absl::Duration timeout = context_.options.request_timeout;
  const bool comes = arriving && now - context_.network.Heard(source.channel.link) < timeout;
  return comes ? context_.options.no_progress : timeout;
}

void Download::FillAll() {
  // Partial sources first.
  for (const bool complete : {false, true}) {
    for (const auto& source : set_.sources()) {
      if (source->in_download && source->complete == complete) Fill(*source);
    }
  }
}

void Download::Fill(Source& source) {
  const Instant now = context_.Now();
  while (source.requests.size() < Room(source)) {
    const absl::optional<uint32_t> piece = Pick(source);
    if (!piece) break;
    if (!context_.down.Ready(now)) {
      last_piece_ = now;  // it is this node that holds it up
      context_.WakeBy(context_.down.ReadyAt(now));
      break;
    }
    Ask(source, *piece);
  }
  Flush(source);
}

absl::optional<uint32_t> Download::Pick(const Source& source) {
  const bool last_resort = source.complete && partial_ > 0;
  if (absl::optional<uint32_t> piece = picker_.PickFresh(source.pieces(), last_resort))
    return piece;
  if (last_resort && source.requests.empty()) {
    if (absl::optional<uint32_t> piece = picker_.PickFresh(source.pieces(), false)) return piece;
  }
  // A source that has nothing to do may be quicker than who was asked first; and at the end.
  if (picker_.fresh() > 0 && !source.requests.empty()) return absl::nullopt;
  return picker_.PickAgain(source.pieces(), kMaxAskings, [&](uint32_t piece) {
    return std::any_of(source.requests.begin(), source.requests.end(),
                       [&](const Source::Request& request) { return request.piece == piece; });
  });
}

size_t Download::Room(const Source& source) const {
  const uint64_t most = context_.options.max_in_flight / store_->manifest()->piece_size;
  const auto window = static_cast<uint64_t>(source.window);
  return static_cast<size_t>(std::max<uint64_t>(1, std::min(most, window)));
}

void Download::Ask(Source& source, uint32_t piece) {
  const Instant now = context_.Now();
  if (source.requests.empty()) source.since = now;
  source.requests.push_back({piece, now});
  picker_.Asked(piece);
  context_.down.Take(store_->manifest()->PieceBytes(piece), now);
  asking_.push_back(piece);
}

void Download::Flush(Source& source) {
  if (asking_.empty()) return;
  pool_.Send(source.channel, RequestFrame{source.channel.number, std::exchange(asking_, {})});
}

bool Download::Withdraw(Source& source, uint32_t piece, bool tell) {
  const auto it =
      std::find_if(source.requests.begin(), source.requests.end(),
                   [&](const Source::Request& request) { return request.piece == piece; });
  if (it == source.requests.end()) return false;
  if (it->arriving) picker_.Arriving(piece, false);
  source.requests.erase(it);
  picker_.Unasked(piece);
  if (tell) pool_.Send(source.channel, CancelFrame{source.channel.number, {piece}});
  return true;
}

// As many requests as keep one or two waiting at the source: fewer, and its link idles between
// them; more, and they wait where another source could serve them.
void Download::LearnWindow(Source& source, absl::Duration latency) {
  constexpr double kFewestWaiting = 0.8;
  constexpr double kMostWaiting = 1.6;
  source.best_latency = std::min(source.best_latency, latency);
  const double share =
      latency > absl::ZeroDuration() ? absl::FDivDuration(source.best_latency, latency) : 1;
  const double waiting = static_cast<double>(source.requests.size()) * (1 - share);
  if (waiting < kFewestWaiting) {
    source.window += 1 / std::floor(source.window);
  } else if (waiting > kMostWaiting) {
    source.window = std::max(1.0, source.window - 1 / std::floor(source.window));
  }
  source.window = std::min(source.window, 1024.0);
}

}  // namespace packice
