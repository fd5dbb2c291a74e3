#include "holdings_keeper.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr size_t kAtATime = 64;

}  // namespace

HoldingsKeeper::HoldingsKeeper(Peer& local, ChangeFeed& changes, Directory& directory,
                               Manifests& manifests, WorkThreads& work,
                               std::function<void(const ObjectId&)> held,
                               std::function<void(absl::string_view)> log)
    : local_(local),
      changes_(changes),
      directory_(directory),
      manifests_(manifests),
      work_(work),
      held_(std::move(held)),
      log_(std::move(log)) {}

HoldingsKeeper::~HoldingsKeeper() { Stop(); }

void HoldingsKeeper::Start() {
  changes_.OnReady([this] { Queue(); });
  Queue();
}

void HoldingsKeeper::Stop() {
  stopped_ = true;
  changes_.OnReady(nullptr);
}

void HoldingsKeeper::Queue() {
  if (stopped_ || queued_.exchange(true)) return;
  work_.Run([this] { Work(); });
}

void HoldingsKeeper::Work() {
  if (again_.exchange(false)) {
    for (const ObjectId& id : std::exchange(later_, {})) pending_.push_back(id);
  }
  // Before the look: what changes from here on queues anew, behind this task's own successor.
  for (ObjectId& id : changes_.Take()) pending_.push_back(std::move(id));
  size_t looked = 0;
  for (; looked < kAtATime && !pending_.empty() && !stopped_; ++looked) {
    const ObjectId id = std::move(pending_.front());
    pending_.pop_front();
    Look(id);
  }
  const bool more = (looked < kAtATime && !listed_) ? LookAtPage() : !pending_.empty() || !listed_;
  if (more && !stopped_) return work_.Run([this] { Work(); });
  queued_ = false;
  // Between Take and here something may have been told in vain.
  changes_.OnReady(stopped_ ? std::function<void()>() : [this] { Queue(); });
}

void HoldingsKeeper::LookAgain() {
  again_ = true;
  Queue();
}

bool HoldingsKeeper::LookAtPage() {
  ListRequest request;
  request.after = after_;
  request.limit = kAtATime;
  absl::StatusOr<ListPage> page = blocking::List(local_, std::move(request));
  if (!page.ok()) {
    // It is listed from here on when somebody asks for it again.
    if (std::exchange(told_unlisted_, true)) return false;
    log_(absl::StrCat("the swarm cannot list this node's objects: ", page.status().message()));
    return false;
  }
  told_unlisted_ = false;
  for (const ObjectInfo& object : page->objects) {
    if (stopped_) return false;
    if (object.state == ObjectState::kSealed) Look(object.object_id);
  }
  listed_ = !page->next.has_value();
  if (!listed_) after_ = std::string(page->next->bytes());
  return !listed_ || !pending_.empty();
}

void HoldingsKeeper::Look(const ObjectId& object_id) {
  const absl::Status status = Tell(object_id);
  if (status.ok()) return held_(object_id);
  const ErrorKind kind = KindOf(status);
  // What is being created is told once it is sealed; the engine tells of what it downloads.
  if (kind == ErrorKind::kNotSealed) return;
  directory_.Withdraw(object_id);
  if (kind == ErrorKind::kNotFound) return;
  if (kind == ErrorKind::kUnavailable || kind == ErrorKind::kTimeout ||
      kind == ErrorKind::kCapacity || kind == ErrorKind::kBusy) {
    later_.insert(object_id);
    return;
  }
  if (kind != ErrorKind::kUnsupported) {
    log_(absl::StrCat("object ", object_id.ToQuoted(),
                      " is not offered to the swarm: ", status.message()));
  }
}

// The object is shared for as long as it is hashed, but leased for a moment only: a lease stands in
// the way of those who rename it.
absl::StatusOr<std::shared_ptr<Object>> HoldingsKeeper::Share(const ObjectId& object_id) {
  AcquireRequest request;
  request.object_id = object_id;
  request.session = session_;
  request.quiet = true;
  MutexLock lock(look_mutex_);
  ++looks_;
  absl::StatusOr<Grant> grant = blocking::Acquire(local_, std::move(request));
  std::shared_ptr<Object> object;
  if (grant.ok()) {
    object = grant->object;
    LeaseRequest release;
    release.lease_id = grant->lease.id;
    release.session = session_;
    static_cast<void>(blocking::Release(local_, std::move(release)));
  }
  ++looks_;
  if (!grant.ok()) return grant.status();
  return object;
}

void HoldingsKeeper::AwaitLook() { MutexLock lock(look_mutex_); }

absl::Status HoldingsKeeper::Tell(const ObjectId& object_id) {
  const absl::StatusOr<std::shared_ptr<Object>> object = Share(object_id);
  if (!object.ok()) return object.status();
  absl::StatusOr<std::shared_ptr<const Manifest>> manifest = manifests_.FindOrMake(**object);
  if (!manifest.ok()) return manifest.status();
  Holding holding;
  holding.object_id = object_id;
  holding.digest = (*manifest)->Digest();
  holding.size = (*manifest)->size();
  holding.pieces = holding.pieces_held = (*manifest)->pieces();
  holding.expires_at = (*manifest)->expires_at;
  holding.sealed_at = (*object)->sealed_at();
  directory_.Announce(holding);
  return absl::OkStatus();
}

}  // namespace packice
