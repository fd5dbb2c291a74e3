#include "fetch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/p2p/content_hasher.h"

namespace packice {
namespace {

constexpr absl::Duration kFirstLocateInterval = absl::Milliseconds(250);
constexpr absl::Duration kSlow = absl::Seconds(2);  // without a piece
constexpr absl::Duration kAnnounceInterval = absl::Seconds(5);
// How long a small object is asked of one holder alone.
constexpr absl::Duration kHedge = absl::Milliseconds(250);

}  // namespace

Fetch::Fetch(std::shared_ptr<EngineContext> context, LinkPool& pool, Readers& readers,
             ObjectId object_id, std::function<void(Fetch&)> on_end)
    : context_(std::move(context)),
      pool_(pool),
      readers_(readers),
      object_id_(std::move(object_id)),
      on_end_(std::move(on_end)),
      sources_(*context_, pool, *this, object_id_),
      locate_interval_(kFirstLocateInterval) {}

void Fetch::AddWaiter(FetchRequest request, Done<absl::Status> done) {
  context_->WakeBy(request.deadline);
  waiters_.push_back({std::move(request), std::move(done)});
}

bool Fetch::CancelWaiter(OperationId operation) {
  const auto it = std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) {
    return waiter.request.operation == operation;
  });
  if (it == waiters_.end()) return false;
  const absl::Status why = MakeError(
      ErrorKind::kTimeout, absl::StrCat("the fetch of ", object_id_.ToQuoted(), " was cancelled"));
  context_->Later([done = std::move(it->done), why]() mutable { std::move(done)(why); });
  waiters_.erase(it);
  if (waiters_.empty() && phase_ != Phase::kSealing) End(why);
  return true;
}

void Fetch::Start() {
  ran_ = true;
  phase_ = Phase::kLocating;
  started_at_ = context_->Now();
  readers_.Expect(object_id_);
  Locate();
}

void Fetch::Tick(Instant now) {
  ExpireWaiters(now);
  if (phase_ == Phase::kEnded || phase_ == Phase::kQueued) return;
  context_->WakeBy(now + kBeat);
  if (phase_ == Phase::kOrigin || phase_ == Phase::kSealing) return;
  if (now - started_at_ >= kHedge && !crowd_) sources_.SetLimit(context_->options.max_sources);
  if (phase_ != Phase::kLocating) sources_.Tick(now);
  if (phase_ == Phase::kDownloading) download_->Tick(now);
  if (now >= announce_at_) Announce();
  if (now >= locate_at_ && !locating_) {
    const bool slow = download_ == nullptr || now - download_->last_piece() >= kSlow;
    if (slow || crowd_ || sources_.open() < context_->options.min_sources) {
      Locate();
    } else {
      LocateBy(now + locate_interval_);
    }
  }
  GiveUpIfHopeless(now);
}

void Fetch::ExpireWaiters(Instant now) {
  const auto late =
      std::stable_partition(waiters_.begin(), waiters_.end(),
                            [&](const Waiter& waiter) { return waiter.request.deadline > now; });
  for (auto it = waiters_.begin(); it != late; ++it) context_->WakeBy(it->request.deadline);
  if (late == waiters_.end()) return;
  const absl::Status why =
      MakeError(ErrorKind::kTimeout,
                absl::StrCat(object_id_.ToQuoted(), " was not here in time; try again with more"));
  for (auto it = late; it != waiters_.end(); ++it) {
    context_->Later([done = std::move(it->done), why]() mutable { std::move(done)(why); });
  }
  waiters_.erase(late, waiters_.end());
  if (waiters_.empty() && phase_ != Phase::kSealing) End(why);
}

void Fetch::Fail(absl::Status why) {
  if (phase_ != Phase::kEnded) End(std::move(why));
}

void Fetch::OnHeld() {
  // What creates the object here itself hears of it otherwise.
  if (phase_ == Phase::kLocating || phase_ == Phase::kConnecting) End(absl::OkStatus());
}

void Fetch::Hint(const std::string& address) {
  sources_.Learn(address, /*near=*/false);
  if (phase_ >= Phase::kConnecting && phase_ <= Phase::kDownloading) sources_.Seek();
}

OpenFrame Fetch::OpenRequest() const {
  OpenFrame open;
  open.object_id = object_id_;
  open.digest = digest_;
  open.want_manifest = manifest_ == nullptr;
  const uint32_t eager = context_->options.eager_bytes;
  open.eager_bytes = manifest_ == nullptr && size_ <= eager ? eager : 0;
  open.reader_address = context_->options.address;
  return open;
}

bool Fetch::OnOpened(Source& source, const OpenedFrame& opened) {
  if (manifest_ == nullptr && !OnManifest(source, opened)) return true;
  if (download_ == nullptr) {
    early_.emplace_back(&source, opened.held);
    return true;
  }
  source.in_download = download_->Add(source, opened.held);
  return source.in_download;
}

bool Fetch::OnManifest(Source& source, const OpenedFrame& opened) {
  absl::StatusOr<Manifest> manifest = MakeError(ErrorKind::kCorrupt, "not the one of this content");
  if (HashOf(digest_.kind(), opened.manifest) == digest_) {
    manifest = Manifest::Decode(opened.manifest);
  }
  if (!manifest.ok()) {
    sources_.Ban(source, absl::StrCat("its manifest: ", manifest.status().message()));
    if (!sources_.holders().hopeful()) LocateBy(context_->Now());
    return false;
  }
  manifest_ = std::make_shared<const Manifest>(*std::move(manifest));
  size_ = manifest_->size();
  Create();
  return true;
}

void Fetch::Create() {
  phase_ = Phase::kCreating;
  context_->objects.Create(object_id_, manifest_,
                           [weak = weak_from_this(), &objects = context_->objects](
                               absl::StatusOr<std::shared_ptr<PieceStore>> store) {
                             const std::shared_ptr<Fetch> self = weak.lock();
                             if (self == nullptr || self->phase_ == Phase::kEnded) {
                               if (store.ok()) objects.Abandon(*std::move(store));
                               return;
                             }
                             const CallScope scope(self->context_);
                             self->OnCreated(std::move(store));
                           });
}

void Fetch::OnCreated(absl::StatusOr<std::shared_ptr<PieceStore>> store) {
  if (!store.ok()) {
    // Somebody else has brought it here meanwhile.
    const bool here = KindOf(store.status()) == ErrorKind::kAlreadyExists;
    return End(here ? absl::OkStatus() : store.status());
  }
  phase_ = Phase::kDownloading;
  download_ = std::make_unique<Download>(*context_, pool_, sources_, *std::move(store));
  readers_.Publish(object_id_, digest_, download_->store());
  for (auto& [source, held] : std::exchange(early_, {})) {
    source->in_download = download_->Add(*source, held);
    if (!source->in_download) {
      context_->Later([&pool = pool_, link = source->channel.link] {
        pool.HangUp(link, MakeError(ErrorKind::kUnavailable, "the holder breaks the protocol"));
      });
    }
  }
  Announce();
  if (download_->done()) Seal();
}

bool Fetch::OnHave(Source& source, const HaveFrame& have) {
  if (download_ != nullptr && source.in_download) return download_->OnHave(source, have.pieces);
  for (auto& [each, held] : early_) {
    if (each != &source || held.empty()) continue;
    for (uint32_t piece : have.pieces) {
      if (piece >= held.size()) return false;
      held[piece] = true;
    }
  }
  return true;
}

void Fetch::OnPieceBegins(Source& source, uint32_t piece) {
  if (download_ != nullptr && source.in_download) download_->OnPieceBegins(source, piece);
}

void Fetch::OnPiece(Source& source, uint32_t piece, TransferEngine::PieceResult result) {
  if (download_ == nullptr || !source.in_download) {
    source.asked_eager = false;  // what came unasked is lost: it is asked for later
    return;
  }
  if (result == TransferEngine::PieceResult::kCorrupt) {
    ++context_->counters.corrupt_pieces;
    sources_.Ban(source, absl::StrCat("piece ", piece, " is not what the manifest says"));
    sources_.Seek();
    if (sources_.sources().empty()) LocateBy(context_->Now());
    return;
  }
  if (!download_->OnPiece(source, piece)) return;
  readers_.Verified(object_id_, piece);
  if (download_->done() && phase_ == Phase::kDownloading) Seal();
}

void Fetch::OnGone(Source& source) {
  early_.erase(std::remove_if(early_.begin(), early_.end(),
                              [&](const auto& each) { return each.first == &source; }),
               early_.end());
  if (source.in_download) download_->Remove(source);
  if (phase_ == Phase::kEnded || phase_ == Phase::kSealing || !sources_.sources().empty()) return;
  locate_interval_ = kFirstLocateInterval;
  LocateBy(context_->Now() + kBeat);
}

void Fetch::Seal() {
  phase_ = Phase::kSealing;
  sources_.CloseAll();
  context_->objects.Seal(download_->store(), [weak = weak_from_this()](absl::Status sealed) {
    const std::shared_ptr<Fetch> self = weak.lock();
    if (self == nullptr || self->phase_ == Phase::kEnded) return;
    const CallScope scope(self->context_);
    self->End(std::move(sealed));
  });
}

void Fetch::Announce() {
  if (context_->options.address.empty() || download_ == nullptr) return;
  const PieceStore& store = *download_->store();
  Holding holding;
  holding.object_id = object_id_;
  holding.digest = digest_;
  holding.size = manifest_->size();
  holding.pieces = manifest_->pieces();
  holding.pieces_held = store.pieces_held();
  holding.expires_at = manifest_->expires_at;
  if (holding.complete()) return;  // not before it is sealed
  context_->directory.Announce(holding);
  announced_ = true;
  announce_at_ = context_->Now() + kAnnounceInterval;
  context_->WakeBy(announce_at_);
}

void Fetch::GiveUpIfHopeless(Instant now) {
  if (phase_ != Phase::kConnecting && phase_ != Phase::kDownloading) return;
  const Instant since = download_ == nullptr ? started_at_ : download_->last_piece();
  if (now - since >= context_->options.no_progress) End(OutOfHolders());
}

absl::Status Fetch::OutOfHolders() const {
  const std::string what = object_id_.ToQuoted();
  if (sources_.bans() > 0 && !sources_.holders().hopeful()) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat("all nodes that can be asked send wrong bytes of ", what));
  }
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat("no holder of ", what, " answers; try again later"));
}

void Fetch::Publish(EventKind kind, absl::string_view detail) {
  const OperationId operation =
      waiters_.empty() ? OperationId::kNone : waiters_.front().request.operation;
  Event event{kind, operation, object_id_};
  event.size = size_;
  event.detail = detail;
  context_->events.Publish(event);
}

void Fetch::End(absl::Status status) {
  phase_ = Phase::kEnded;
  sources_.CloseAll();
  if (status.ok()) {
    readers_.Complete(object_id_);
  } else {
    readers_.Withdraw(object_id_);
    if (announced_) context_->directory.Withdraw(object_id_);
    if (download_ != nullptr) context_->objects.Abandon(download_->store());
  }
  if (told_started_) {
    ++(status.ok() ? context_->counters.downloads_finished : context_->counters.downloads_failed);
    Publish(status.ok() ? EventKind::kDownloadFinished : EventKind::kDownloadFailed,
            status.message());
  }
  for (Waiter& waiter : waiters_) {
    context_->Later([done = std::move(waiter.done), status]() mutable { std::move(done)(status); });
  }
  waiters_.clear();
  on_end_(*this);
}

DownloadInfo Fetch::Info() const {
  DownloadInfo info;
  info.object_id = object_id_;
  info.size = size_;
  info.sources = static_cast<uint32_t>(sources_.open());
  info.from_origin = phase_ == Phase::kOrigin;
  if (download_ != nullptr) {
    info.bytes_done = download_->bytes_done();
    info.rate = download_->Rate(context_->Now());
  }
  return info;
}

void Fetch::AddTransfers(std::vector<TransferInfo>& transfers) const {
  for (const auto& source : sources_.sources()) {
    if (!source->in_download) continue;
    TransferInfo info;
    info.object_id = object_id_;
    info.peer = source->address;
    info.bytes = source->bytes;
    info.rate = source->rate.Rate(context_->Now());
    info.in_flight = static_cast<uint32_t>(source->requests.size());
    transfers.push_back(std::move(info));
  }
}

}  // namespace packice
