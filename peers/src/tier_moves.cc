// Demotion and promotion: the copies between tiers, and which are made when.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "copy_blob.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/blocking.h"
#include "tier_engine.h"

namespace packice {
namespace {

constexpr size_t kCompareBytes = 1 << 20;

AcquireRequest CopyOf(const Object& object, absl::optional<absl::Duration> ttl) {
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = object.id();
  for (const auto& blob : object.blobs()) request.blob_sizes.push_back(blob->size());
  request.metadata = object.metadata();
  request.object_ttl = ttl;
  request.quiet = true;
  return request;
}

// `corrupt` when the sums that were made at the seal are not those of the copy.
absl::Status CheckCopy(const Blob& from, const Blob& copy) {
  const absl::StatusOr<PieceSums> sums = from.Sums();
  if (!sums.ok()) return absl::OkStatus();  // the medium keeps none
  std::vector<char> buffer(std::min<uint64_t>(copy.size(), PieceSums::kPieceBytes));
  for (uint64_t piece = 0; piece * PieceSums::kPieceBytes < copy.size(); ++piece) {
    const absl::StatusOr<size_t> got =
        copy.Read(piece * PieceSums::kPieceBytes, absl::MakeSpan(buffer));
    if (!got.ok()) return got.status();
    if (piece >= sums->pieces.size() ||
        HashPiece(absl::string_view(buffer.data(), *got)) != sums->pieces[piece]) {
      return MakeError(ErrorKind::kCorrupt,
                       absl::StrCat("piece ", piece, " of a blob is not as it was sealed"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> SameBytes(const Blob& a, const Blob& b) {
  if (a.size() != b.size()) return false;
  const absl::StatusOr<PieceSums> a_sums = a.Sums();
  const absl::StatusOr<PieceSums> b_sums = b.Sums();
  if (a_sums.ok() && b_sums.ok()) return a_sums->pieces == b_sums->pieces;
  std::vector<char> a_bytes(std::min<uint64_t>(a.size(), kCompareBytes));
  std::vector<char> b_bytes(a_bytes.size());
  for (uint64_t offset = 0; offset < a.size(); offset += a_bytes.size()) {
    const absl::StatusOr<size_t> a_got = a.Read(offset, absl::MakeSpan(a_bytes));
    if (!a_got.ok()) return a_got.status();
    const absl::StatusOr<size_t> b_got = b.Read(offset, absl::MakeSpan(b_bytes));
    if (!b_got.ok()) return b_got.status();
    if (*a_got != *b_got || !std::equal(a_bytes.begin(), a_bytes.begin() + *a_got, b_bytes.begin()))
      return false;
  }
  return true;
}

absl::StatusOr<bool> SameBytes(const Object& a, const Object& b) {
  if (a.blobs().size() != b.blobs().size()) return false;
  for (size_t i = 0; i < a.blobs().size(); ++i) {
    const absl::StatusOr<bool> same = SameBytes(*a.blobs()[i], *b.blobs()[i]);
    if (!same.ok() || !*same) return same;
  }
  return true;
}

// What says something of the tier, and not of the object alone.
bool IsTiersFault(const absl::Status& status) {
  switch (KindOf(status)) {
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout:
    case ErrorKind::kCapacity:
    case ErrorKind::kIo:
      return true;
    default:
      return false;
  }
}

// Of an object whose own life is over, which need not move any more.
absl::Status ItsTimeIsOver() { return MakeError(ErrorKind::kNotFound, "the object has expired"); }

}  // namespace

void TieredPeer::Engine::Pump() {
  while (DirtyObject* const object = NextDemotion(/*flush=*/false)) {
    executor_->Run([this, object] { Demote(*object); });
  }
}

bool TieredPeer::Engine::WantsDemotion(const DirtyObject& object, Instant now) const {
  return draining_ || flushing_ > 0 || !room_waiters_.empty() || !object.waiters.empty() ||
         options_.write_policy == WritePolicy::kThrough ||
         now - object.since >= options_.flush_after;
}

DirtyObject* TieredPeer::Engine::NextDemotion(bool flush) {
  if (stopping_.load()) return nullptr;
  const Instant now = clock_.Now();
  if (health_.NextMove() > now) return nullptr;
  MutexLock lock(mutex_);
  while (DirtyObject* const object = dirty_.First()) {
    if (draining_ && dirty_.queued_bytes() <= low_water_) draining_ = false;
    if (!flush && (demoting_ >= options_.moves || !WantsDemotion(*object, now))) return nullptr;
    if (affairs_.TryBegin(object->id(), TierAffairs::Kind::kDemotion)) {
      dirty_.Take(*object);
      ++demoting_;
      return object;
    }
    dirty_.PutAside(*object);
  }
  draining_ = false;
  return nullptr;
}

void TieredPeer::Engine::Demote(DirtyObject& object) {
  const OperationId operation = NewOperationId();
  BeginMove(object.id());
  const absl::Status status = CopyToCold(object, operation);
  EndMove(object.id());
  Demoted(object, operation, status);
}

void TieredPeer::Engine::Demoted(DirtyObject& object, OperationId operation,
                                 const absl::Status& status) {
  const ObjectId id = object.id();
  const uint64_t size = object.pin.object->size();
  const bool expired = !status.ok() && KindOf(status) == ErrorKind::kNotFound;
  const bool gone = status.ok() || expired;  // from among the dirty ones
  const bool conflict = !gone && KindOf(status) == ErrorKind::kAlreadyExists;
  const bool gave_up = !gone && !conflict && !GoesOn(id);
  if (status.ok()) {
    cold_gains_.fetch_add(1);
    demotions_.fetch_add(1, std::memory_order_relaxed);
    demoted_bytes_.fetch_add(size, std::memory_order_relaxed);
    Publish(EventKind::kDemoted, operation, id, size, "hot");
  }
  const bool tier_failed = !gone && IsTiersFault(status);
  if (status.ok() || (tier_failed && !gave_up)) health_.Moved(status);

  std::unique_ptr<DirtyObject> clean;
  std::vector<Done<absl::Status>> waiters;
  {
    MutexLock lock(mutex_);
    --demoting_;
    if (!gave_up) waiters.swap(object.waiters);
    if (gone) {
      clean = dirty_.Erase(id);
    } else if (conflict) {
      object.conflict = true;
      dirty_.PutAside(object);
    } else if (tier_failed || gave_up) {
      dirty_.PutBack(object);
    } else {
      Rest(object);
    }
    changed_.NotifyAll();
  }
  if (clean != nullptr) {
    // From here on hot may evict it.
    hot_->Release({clean->pin.lease.id, session_, operation}, nullptr);
    clean.reset();
  }
  if (conflict) {
    options_.log(
        absl::StrCat("object ", id.ToQuoted(),
                     " cannot be demoted: the cold tier has another object of this id; the "
                     "hot copy stays until one of them is discarded"));
  }
  for (auto& waiter : waiters) std::move(waiter)(status);
  EndAffair(id);
  if (gone) RetryCreates();
}

void TieredPeer::Engine::Rest(DirtyObject& object) {
  constexpr int kDoublings = 20;
  const absl::Duration rest = options_.first_retry * (1 << std::min(object.rests++, kDoublings));
  object.resting = true;
  dirty_.PutAside(object);
  resting_.emplace(clock_.Now() + std::min(rest, options_.last_retry), object.id());
}

absl::Status TieredPeer::Engine::CopyToCold(DirtyObject& dirty, OperationId operation) {
  const Object& object = *dirty.pin.object;
  absl::optional<absl::Duration> ttl;
  if (dirty.expires_at.has_value()) {
    ttl = *dirty.expires_at - clock_.WallTime();
    if (*ttl <= absl::ZeroDuration()) return ItsTimeIsOver();
  }
  if (discards_->Contains(object.id())) {
    if (absl::Status status = CarryOutDiscard(object.id()); !status.ok()) return status;
  }
  if (dirty.ask_cold) {
    const absl::Status compared = CompareWithCold(dirty);
    if (compared.ok() || KindOf(compared) != ErrorKind::kNotFound) return compared;
  }
  const SessionId session = NewSessionId();
  AcquireRequest request = CopyOf(object, ttl);
  request.session = session;
  request.operation = operation;
  absl::StatusOr<Grant> grant = blocking::Acquire(*cold_, std::move(request));
  if (!grant.ok()) {
    if (KindOf(grant.status()) == ErrorKind::kAlreadyExists) return CompareWithCold(dirty);
    MindSession(session, grant.status());
    return grant.status();
  }
  const LeaseRequest lease{grant->lease.id, session, operation};
  absl::Status status = CopyBlobs(object, *grant->object);
  // Not a reference more than needed: a file that somebody has open may not be sealed.
  grant->object.reset();
  if (!GoesOn(object.id())) status = MakeError(ErrorKind::kBusy, "the move was given up");
  if (status.ok()) {
    SealRequest seal;
    seal.lease_id = lease.lease_id;
    seal.expires_at = dirty.expires_at;
    seal.session = session;
    seal.operation = operation;
    status = blocking::Seal(*cold_, std::move(seal)).status();
    // Its answer may be what was lost.
    if (!status.ok()) dirty.ask_cold = true;
  }
  cold_->Release(lease, nullptr);
  MindSession(session, status);
  return status;
}

absl::Status TieredPeer::Engine::CompareWithCold(DirtyObject& dirty) {
  const SessionId session = NewSessionId();
  AcquireRequest request;
  request.object_id = dirty.id();
  request.quiet = true;
  request.session = session;
  const absl::StatusOr<Grant> grant = blocking::Acquire(*cold_, std::move(request));
  MindSession(session, grant.status());
  if (!grant.ok()) {
    // What is damaged cold sets aside, and then takes a fresh copy.
    return KindOf(grant.status()) == ErrorKind::kCorrupt
               ? MakeError(ErrorKind::kNotFound, grant.status().message())
               : grant.status();
  }
  const absl::StatusOr<bool> same = SameBytes(*dirty.pin.object, *grant->object);
  cold_->Release({grant->lease.id, session, OperationId::kNone}, nullptr);
  if (!same.ok()) return same.status();
  if (*same) return absl::OkStatus();
  return MakeError(ErrorKind::kAlreadyExists, "the cold tier has another object of this id");
}

void TieredPeer::Engine::Promote(const ObjectId& id) {
  const OperationId operation = NewOperationId();
  BeginMove(id);
  uint64_t bytes = 0;
  const absl::Status status = CopyToHot(id, operation, bytes);
  EndMove(id);
  if (status.ok()) {
    promotions_.fetch_add(1, std::memory_order_relaxed);
    promoted_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    Publish(EventKind::kPromoted, operation, id, bytes, "hot");
  } else if (KindOf(status) == ErrorKind::kCorrupt) {
    options_.log(absl::StrCat("object ", id.ToQuoted(),
                              " was not promoted, it is damaged: ", status.message()));
  }
  // Before anybody can look again.
  hot_gains_.fetch_add(1);
  {
    MutexLock lock(mutex_);
    --promoting_;
  }
  EndAffair(id);
}

absl::Status TieredPeer::Engine::CopyToHot(const ObjectId& id, OperationId operation,
                                           uint64_t& bytes) {
  const SessionId session = NewSessionId();
  AcquireRequest read;
  read.object_id = id;
  read.quiet = true;
  read.session = session;
  read.operation = operation;
  const absl::StatusOr<Grant> cold = blocking::Acquire(*cold_, std::move(read));
  MindSession(session, cold.status());
  if (!cold.ok()) return cold.status();
  const LeaseRequest cold_lease{cold->lease.id, session, operation};
  const absl::Status status = [&]() -> absl::Status {
    const absl::StatusOr<ObjectInfo> info = blocking::Stat(*cold_, id);
    if (!info.ok()) return info.status();
    absl::optional<absl::Duration> ttl;
    if (info->expires_at.has_value()) {
      ttl = *info->expires_at - clock_.WallTime();
      if (*ttl <= absl::ZeroDuration()) return ItsTimeIsOver();
    }
    AcquireRequest create = CopyOf(*cold->object, ttl);
    create.session = session_;
    create.operation = operation;
    absl::StatusOr<Grant> hot = blocking::Acquire(*hot_, std::move(create));
    if (!hot.ok()) return hot.status();
    const LeaseRequest hot_lease{hot->lease.id, session_, operation};
    absl::Status copied = CopyBlobs(*cold->object, *hot->object);
    for (size_t i = 0; copied.ok() && i < cold->object->blobs().size(); ++i) {
      copied = CheckCopy(*cold->object->blobs()[i], *hot->object->blobs()[i]);
    }
    hot->object.reset();
    if (!GoesOn(id)) copied = MakeError(ErrorKind::kBusy, "the move was given up");
    if (copied.ok()) {
      SealRequest seal;
      seal.lease_id = hot_lease.lease_id;
      seal.expires_at = info->expires_at;
      seal.session = session_;
      seal.operation = operation;
      copied = blocking::Seal(*hot_, std::move(seal)).status();
    }
    hot_->Release(hot_lease, nullptr);
    bytes = cold->object->size();
    return copied;
  }();
  cold_->Release(cold_lease, nullptr);
  MindSession(session, status);
  return status;
}

absl::Status TieredPeer::Engine::CopyBlobs(const Object& from, Object& to) {
  for (size_t i = 0; i < from.blobs().size(); ++i) {
    absl::Status status =
        CopyBlob(*from.blobs()[i], *to.blobs()[i], [&] { return GoesOn(from.id()); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool TieredPeer::Engine::GoesOn(const ObjectId& id) const {
  return !stopping_.load() && !affairs_.ShouldGiveUp(id);
}

void TieredPeer::Engine::BeginMove(const ObjectId& id) {
  const Instant now = clock_.Now();
  MutexLock lock(mutex_);
  moves_[id] = now;
}

void TieredPeer::Engine::EndMove(const ObjectId& id) {
  {
    MutexLock lock(mutex_);
    moves_.erase(id);
  }
  CheckPace();
}

void TieredPeer::Engine::EndAffair(const ObjectId& id) {
  affairs_.End(id);
  {
    MutexLock lock(mutex_);
    DirtyObject* const dirty = dirty_.Find(id);
    if (dirty != nullptr && !dirty->conflict && !dirty->resting && dirty_.IsAside(*dirty)) {
      dirty_.PutBack(*dirty);
    }
  }
  Attend();
}

}  // namespace packice
