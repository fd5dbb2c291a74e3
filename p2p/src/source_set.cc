#include "source_set.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

// A holder that is asked again too soon refuses again; one that asks for patience in hours is a
// holder that is not there.
constexpr absl::Duration kMinRetry = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetry = absl::Seconds(10);

// Of one answer.
constexpr size_t kMaxAlternatives = 64;

}  // namespace

bool Source::OnFrame(const Frame& frame) { return set.OnFrame(*this, frame); }
void Source::OnPieceBegins(uint32_t piece) { set.OnPieceBegins(*this, piece); }
void Source::OnPiece(uint32_t piece, TransferEngine::PieceResult result) {
  set.OnPiece(*this, piece, result);
}
void Source::OnLost(const absl::Status&) { set.OnLost(*this); }

SourceSet::SourceSet(EngineContext& context, LinkPool& pool, Reader& reader,
                     const ObjectId& object_id)
    : context_(context),
      pool_(pool),
      reader_(reader),
      object_id_(object_id),
      holders_(context.options.address, context.random),
      limit_(context.options.max_sources) {}

void SourceSet::Learn(const std::string& address, bool near) {
  holders_.Learn(address, near, context_.Now());
}

void SourceSet::Learn(const std::vector<std::string>& addresses) {
  const size_t count = std::min(addresses.size(), kMaxAlternatives);
  for (size_t i = 0; i < count; ++i) Learn(addresses[i], /*near=*/false);
}

void SourceSet::Seek() {
  const Instant now = context_.Now();
  while (sources_.size() < limit_) {
    const HolderList::Entry* const next = holders_.Take(now);
    if (next == nullptr) break;
    Open(next->address);
  }
}

void SourceSet::Open(const std::string& address) {
  sources_.push_back(std::make_unique<Source>(*this, address));
  Source& source = *sources_.back();
  source.since = context_.Now();
  source.channel = pool_.Open(address, source);
  OpenFrame request = reader_.OpenRequest();
  request.channel = source.channel.number;
  source.asked_manifest = request.want_manifest;
  source.asked_eager = request.eager_bytes > 0;
  pool_.Send(source.channel, std::move(request));
}

void SourceSet::Tick(Instant now) {
  // Whoever does not even answer.
  std::vector<Source*> silent;
  for (const auto& source : sources_) {
    if (!source->open && now - source->since >= context_.options.request_timeout) {
      silent.push_back(source.get());
    }
  }
  for (Source* source : silent) {
    if (!source->gone) LeaveSlow(*source);
  }
  Seek();
}

void SourceSet::CloseAll() {
  while (!sources_.empty()) Remove(*sources_.back(), /*close=*/true);
}

size_t SourceSet::open() const {
  return static_cast<size_t>(std::count_if(sources_.begin(), sources_.end(),
                                           [](const auto& source) { return source->open; }));
}

void SourceSet::Ban(Source& source, absl::string_view why) {
  ++bans_;
  ++context_.counters.holders_banned;
  const std::string detail = absl::StrCat(source.address, ": ", why);
  Event event{EventKind::kHolderBanned, OperationId::kNone, object_id_};
  event.detail = detail;
  context_.events.Publish(event);
  context_.directory.Report(object_id_, source.address, HolderFault::kCorrupt);
  holders_.Ban(source.address);
  Remove(source, /*close=*/true);
}

void SourceSet::LeaveSlow(Source& source) {
  context_.directory.Report(object_id_, source.address, HolderFault::kSlow);
  holders_.Failed(source.address, context_.Now());
  const LinkId link = source.channel.link;
  Remove(source, /*close=*/true);
  pool_.HangUpIfSilent(link, context_.options.request_timeout);
}

bool SourceSet::OnFrame(Source& source, const Frame& frame) {
  // Whoever owes pieces is not excused by other frames.
  if (!source.open || source.requests.empty()) source.since = context_.Now();
  if (const auto* opened = absl::get_if<OpenedFrame>(&frame)) return OnOpened(source, *opened);
  if (const auto* have = absl::get_if<HaveFrame>(&frame)) {
    return source.open && reader_.OnHave(source, *have);
  }
  if (const auto* refused = absl::get_if<RefusedFrame>(&frame)) {
    if (source.open) return false;
    OnRefused(source, *refused);
    return true;
  }
  if (absl::holds_alternative<CloseFrame>(frame)) {
    holders_.Busy(source.address,
                  context_.Now() + kMinRetry * (5 + 5 * context_.random.Fraction()));
    Remove(source, /*close=*/true);
    Seek();
    return true;
  }
  return false;
}

bool SourceSet::OnOpened(Source& source, const OpenedFrame& opened) {
  if (source.open) return false;
  source.open = true;
  ever_open_ = true;
  holders_.Worked(source.address);
  Learn(opened.alternatives);
  const bool kept_to_protocol = reader_.OnOpened(source, opened);
  if (kept_to_protocol) Seek();
  return kept_to_protocol;
}

void SourceSet::OnRefused(Source& source, const RefusedFrame& refused) {
  const Instant now = context_.Now();
  Learn(refused.alternatives);
  switch (refused.reason) {
    case RefusalReason::kBusy: {
      const absl::Duration wait = std::clamp(refused.retry_after, kMinRetry, kMaxRetry);
      holders_.Busy(source.address, now + wait * (1 + context_.random.Fraction()));
      break;
    }
    case RefusalReason::kFailing:
      context_.directory.Report(object_id_, source.address, HolderFault::kSlow);
      holders_.Failed(source.address, now);
      break;
    default:
      context_.directory.Report(object_id_, source.address, HolderFault::kGone);
      holders_.Failed(source.address, now);  // not forgotten: others may go on naming it
  }
  Remove(source, /*close=*/true);
  Seek();
}

void SourceSet::OnPiece(Source& source, uint32_t piece, TransferEngine::PieceResult result) {
  source.since = context_.Now();
  reader_.OnPiece(source, piece, result);
}

void SourceSet::OnLost(Source& source) {
  if (!source.open) context_.directory.Report(object_id_, source.address, HolderFault::kGone);
  holders_.Failed(source.address, context_.Now());
  Remove(source, /*close=*/false);
  Seek();
}

void SourceSet::Remove(Source& source, bool close) {
  source.gone = true;
  if (close) pool_.Close(source.channel);
  const auto it = std::find_if(sources_.begin(), sources_.end(),
                               [&](const auto& each) { return each.get() == &source; });
  std::unique_ptr<Source> removed = std::move(*it);
  sources_.erase(it);
  reader_.OnGone(source);
  // It may be what is just being called.
  context_.Later([removed = std::move(removed)] {});
}

}  // namespace packice
