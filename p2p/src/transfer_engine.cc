#include "packice/p2p/transfer_engine.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "discard_call.h"
#include "engine_context.h"
#include "fetch.h"
#include "frame_channel.h"
#include "link_pool.h"
#include "packice/core/error.h"
#include "readers.h"

namespace packice {

class TransferEngine::Impl final : public Readers::Fetches {
 public:
  explicit Impl(std::shared_ptr<EngineContext> context)
      : context_(std::move(context)), pool_(*context_), readers_(context_, *this) {}

  void Fetch(FetchRequest request, Done<absl::Status> done);
  void OnHeld(const ObjectId& object_id);
  void Cancel(OperationId operation);
  void DiscardAt(const std::string& holder, const ObjectId& object_id, Done<absl::Status> done);
  void Tick();
  void ShutDown();

  const std::shared_ptr<EngineContext>& context() const { return context_; }
  LinkPool& pool() { return pool_; }
  Readers& readers() { return readers_; }
  const Readers& readers() const { return readers_; }
  const std::map<ObjectId, std::shared_ptr<packice::Fetch>>& fetches() const { return fetches_; }

  void OnReader(const ObjectId& object_id, const std::string& address) override;
  void AddHolders(const ObjectId& object_id, std::vector<std::string>& addresses) override;
  bool Has(const ObjectId& object_id, const std::string& address, uint32_t piece) override;

 private:
  void StartFetches();
  void OnEnd(packice::Fetch& fetch);

  const std::shared_ptr<EngineContext> context_;
  LinkPool pool_;
  Readers readers_;
  std::map<ObjectId, std::shared_ptr<packice::Fetch>> fetches_;
  std::deque<ObjectId> waiting_;  // for one of max_downloads
  size_t running_ = 0;
  std::map<uint64_t, std::unique_ptr<DiscardCall>> discards_;
  uint64_t next_discard_ = 1;
};

void TransferEngine::Impl::Fetch(FetchRequest request, Done<absl::Status> done) {
  if (context_->shutting_down) {
    const absl::Status why = MakeError(ErrorKind::kUnavailable, "this node shuts down");
    return context_->Later([done = std::move(done), why]() mutable { std::move(done)(why); });
  }
  const ObjectId object_id = request.object_id;
  std::shared_ptr<packice::Fetch>& fetch = fetches_[object_id];
  const bool first = fetch == nullptr;
  if (first) {
    fetch = std::make_shared<packice::Fetch>(context_, pool_, readers_, object_id,
                                             [this](packice::Fetch& ended) { OnEnd(ended); });
    waiting_.push_back(object_id);
  }
  fetch->AddWaiter(std::move(request), std::move(done));
  if (first) StartFetches();
}

void TransferEngine::Impl::StartFetches() {
  while (running_ < context_->options.max_downloads && !waiting_.empty()) {
    const auto it = fetches_.find(waiting_.front());
    waiting_.pop_front();
    if (it == fetches_.end() || it->second->started()) continue;
    ++running_;
    const std::shared_ptr<packice::Fetch> fetch = it->second;
    fetch->Start();
  }
}

void TransferEngine::Impl::OnEnd(packice::Fetch& fetch) {
  const auto it = fetches_.find(fetch.object_id());
  // It is still at work: it goes when the call ends.
  context_->Later([this, ended = std::move(it->second), ran = fetch.started()] {
    if (ran) --running_;
    StartFetches();
  });
  fetches_.erase(it);
}

void TransferEngine::Impl::Cancel(OperationId operation) {
  if (operation == OperationId::kNone) return;
  for (const auto& [object_id, fetch] : fetches_) {
    const std::shared_ptr<packice::Fetch> held = fetch;
    if (held->CancelWaiter(operation)) return;
  }
}

void TransferEngine::Impl::DiscardAt(const std::string& holder, const ObjectId& object_id,
                                     Done<absl::Status> done) {
  const uint64_t key = next_discard_++;
  discards_[key] = std::make_unique<DiscardCall>(
      *context_, pool_, holder, object_id,
      [this, key, done = std::move(done)](absl::Status result) mutable {
        context_->Later([this, key, done = std::move(done), result]() mutable {
          discards_.erase(key);
          std::move(done)(result);
        });
      });
}

void TransferEngine::Impl::Tick() {
  const Instant now = context_->Now();
  if (now < context_->due) return;
  context_->due = absl::InfiniteDuration();
  std::vector<std::shared_ptr<packice::Fetch>> fetches;
  for (const auto& [object_id, fetch] : fetches_) fetches.push_back(fetch);
  // Not always in one order: who comes first has the first choice of what the down limit allows.
  if (!fetches.empty()) {
    const auto first = static_cast<std::ptrdiff_t>(context_->random.Below(fetches.size()));
    std::rotate(fetches.begin(), fetches.begin() + first, fetches.end());
  }
  for (const auto& fetch : fetches) fetch->Tick(now);
  for (const auto& [key, discard] : discards_) discard->Tick(now);
  readers_.Tick(now);
  pool_.Tick(now);
}

void TransferEngine::Impl::ShutDown() {
  context_->shutting_down = true;
  const absl::Status why = MakeError(ErrorKind::kUnavailable, "this node shuts down");
  while (!fetches_.empty()) {
    const std::shared_ptr<packice::Fetch> fetch = fetches_.begin()->second;
    fetch->Fail(why);
  }
  readers_.ShutDown();
}

void TransferEngine::Impl::OnReader(const ObjectId& object_id, const std::string& address) {
  const auto it = fetches_.find(object_id);
  if (it != fetches_.end()) it->second->Hint(address);
}

void TransferEngine::Impl::OnHeld(const ObjectId& object_id) {
  const auto it = fetches_.find(object_id);
  if (it == fetches_.end()) return;
  const std::shared_ptr<packice::Fetch> fetch = it->second;
  fetch->OnHeld();
}

void TransferEngine::Impl::AddHolders(const ObjectId& object_id,
                                      std::vector<std::string>& addresses) {
  const auto it = fetches_.find(object_id);
  if (it == fetches_.end()) return;
  for (const auto& source : it->second->sources().sources()) {
    if (!source->open) continue;
    if (std::find(addresses.begin(), addresses.end(), source->address) == addresses.end()) {
      addresses.push_back(source->address);
    }
  }
}

bool TransferEngine::Impl::Has(const ObjectId& object_id, const std::string& address,
                               uint32_t piece) {
  const auto it = fetches_.find(object_id);
  if (it == fetches_.end()) return false;
  for (const auto& source : it->second->sources().sources()) {
    if (source->in_download && source->address == address) return source->Has(piece);
  }
  return false;
}

TransferEngine::TransferEngine(TransferOptions options, TransferNetwork& network,
                               LocalObjects& objects, Directory& directory, Origin* origin,
                               const Clock& clock, uint64_t seed, EventSink& events)
    : impl_(std::make_unique<Impl>(std::make_shared<EngineContext>(
          std::move(options), network, objects, directory, origin, clock, seed, events))) {}

TransferEngine::~TransferEngine() = default;

void TransferEngine::Fetch(FetchRequest request, Done<absl::Status> done) {
  const CallScope scope(impl_->context());
  impl_->Fetch(std::move(request), std::move(done));
}

void TransferEngine::Cancel(OperationId operation) {
  const CallScope scope(impl_->context());
  impl_->Cancel(operation);
}

void TransferEngine::OnHeld(const ObjectId& object_id) {
  const CallScope scope(impl_->context());
  impl_->OnHeld(object_id);
}

void TransferEngine::DiscardAt(const std::string& holder, const ObjectId& object_id,
                               Done<absl::Status> done) {
  const CallScope scope(impl_->context());
  impl_->DiscardAt(holder, object_id, std::move(done));
}

void TransferEngine::OnLinkUp(LinkId link) {
  const CallScope scope(impl_->context());
  if (impl_->pool().Owns(link)) impl_->pool().OnUp(link);
}

void TransferEngine::OnAccepted(LinkId link, const std::string& peer) {
  const CallScope scope(impl_->context());
  impl_->readers().OnAccepted(link, peer);
}

void TransferEngine::OnLinkDown(LinkId link, const absl::Status& why) {
  const CallScope scope(impl_->context());
  impl_->pool().OnDown(link, why);
  impl_->readers().OnDown(link);
}

void TransferEngine::OnFrame(LinkId link, const Frame& frame) {
  const CallScope scope(impl_->context());
  if (impl_->readers().Owns(link)) {
    impl_->readers().OnFrame(link, frame);
  } else {
    impl_->pool().OnFrame(link, ChannelOf(frame), frame);
  }
}

void TransferEngine::OnPiece(LinkId link, uint32_t channel, uint32_t piece, PieceResult result) {
  const CallScope scope(impl_->context());
  impl_->pool().OnPiece(link, channel, piece, result);
}

void TransferEngine::OnPieceSent(LinkId link, uint32_t channel, uint32_t piece) {
  const CallScope scope(impl_->context());
  impl_->readers().OnPieceSent(link, channel, piece);
}

void TransferEngine::OnPieceBegins(LinkId link, uint32_t channel, uint32_t piece) {
  const CallScope scope(impl_->context());
  impl_->pool().OnPieceBegins(link, channel, piece);
}

void TransferEngine::Tick() {
  const CallScope scope(impl_->context());
  impl_->Tick();
}

Instant TransferEngine::NextTick() const { return impl_->context()->due; }

void TransferEngine::ShutDown() {
  const CallScope scope(impl_->context());
  impl_->ShutDown();
}

bool TransferEngine::Drained() const { return impl_->readers().Drained(); }

std::vector<TransferInfo> TransferEngine::Transfers(
    const absl::optional<ObjectId>& object_id) const {
  std::vector<TransferInfo> transfers;
  for (const auto& [id, fetch] : impl_->fetches()) {
    if (!object_id || id == *object_id) fetch->AddTransfers(transfers);
  }
  impl_->readers().AddTransfers(object_id, transfers);
  return transfers;
}

std::vector<DownloadInfo> TransferEngine::Downloads() const {
  std::vector<DownloadInfo> downloads;
  for (const auto& [id, fetch] : impl_->fetches()) downloads.push_back(fetch->Info());
  return downloads;
}

const TransferCounters& TransferEngine::counters() const { return impl_->context()->counters; }

double TransferEngine::load() const { return impl_->readers().Load(impl_->context()->Now()); }

}  // namespace packice
