// Objects that nobody uses: what is let go of, and how it comes back with the next lease.
#include <algorithm>
#include <utility>

#include "engine.h"
#include "parked_object.h"

namespace packice {
namespace {

// So few lingering objects are looked through each time; of more, as many as have come to linger
// since.
constexpr size_t kSweepAlways = 16;

// Whether somebody shares an object, or the bytes that it had under another id, with its record.
bool IsShared(const Object& object, long owners) {
  return owners > 1 || std::any_of(object.blobs().begin(), object.blobs().end(),
                                   [](const auto& blob) { return blob.use_count() > 1; });
}

}  // namespace

void LocalPeer::Engine::Hold(Stripe& stripe, Record& record) {
  if (record.held) return;
  record.held = true;
  policy_->Pin(record);
  stripe.evictable.fetch_sub(record.charged, std::memory_order_relaxed);
}

void LocalPeer::Engine::Rest(Stripe& stripe, Record& record, Aftermath& aftermath) {
  if (!record.held || record.leases > 0 || record.change != Change::kNone) return;
  record.held = false;
  record.DropCustody();
  policy_->Unpin(record);
  stripe.evictable.fetch_add(record.charged, std::memory_order_relaxed);
  if (record.object() == nullptr || (archive_ != nullptr && !record.archived)) return;
  if (!record.lingering && (record.recent || !Close(stripe, record, aftermath))) {
    record.lingering = true;
    stripe.lingering.push_back(&record);
  }
  if (!stripe.lingering.empty()) Sweep(stripe, aftermath);
}

void LocalPeer::Engine::Sweep(Stripe& stripe, Aftermath& aftermath) {
  auto& lingering = stripe.lingering;
  const bool is_few = kept_open_ == 0 && lingering.size() <= kSweepAlways;
  if (!is_few && lingering.size() < stripe.sweep_at) return;
  const size_t looked_at = lingering.size() - std::min(lingering.size(), kept_open_);
  size_t left = 0;
  for (size_t i = 0; i < lingering.size(); ++i) {
    Record* const record = lingering[i];
    const bool rests = record->leases == 0 && record->change == Change::kNone;
    record->lingering = i >= looked_at || (rests && !Close(stripe, *record, aftermath));
    if (record->lingering) lingering[left++] = record;
  }
  lingering.resize(left);
  stripe.sweep_at = 2 * std::max(lingering.size(), kept_open_);
}

bool LocalPeer::Engine::Close(Stripe& stripe, Record& record, Aftermath& aftermath) {
  const Object& object = *record.object();
  // Whoever still shares an archived object keeps it open, so that its bytes can only go when he
  // lets go of them.
  if (IsShared(object, record.SharedObject().use_count())) return false;
  if (archive_ == nullptr) {
    if (object.blobs().size() != 1) return true;
    const absl::optional<uint64_t> parked = store_->Park(*object.blobs().front());
    if (!parked.has_value()) return true;
    record.rest = PackedBytes(ParkedObject{object.created_at(), object.sealed_at(), *parked,
                                           object.size(), object.metadata()}
                                  .Pack());
  }
  record.closed = static_cast<uint16_t>(stripe.opened);
  aftermath.closed.push_back(record.TakeObject());
  return true;
}

void LocalPeer::Engine::Open(Stripe& stripe, Record& record) {
  if (record.object() != nullptr) return;
  record.recent = static_cast<uint16_t>(stripe.opened - record.closed) < kept_open_;
  ++stripe.opened;
  if (archive_ != nullptr) return record.SetObject(archive_->Open(record.id, record.rest.view()));
  ParkedObject parked = ParkedObject::Unpack(record.rest.view());
  Object::Blobs blobs = {store_->Unpark(parked.blob, parked.size)};
  record.SetObject(std::make_shared<Object>(record.id, std::move(parked.metadata), std::move(blobs),
                                            parked.created_at, parked.sealed_at));
  record.rest = PackedBytes();
}

void LocalPeer::Engine::FreeParked(Record& record, Aftermath& aftermath) {
  if (archive_ != nullptr || !record.sealed() || record.object() != nullptr) return;
  const ParkedObject parked = ParkedObject::Unpack(record.rest.view());
  aftermath.bytes.push_back(store_->Unpark(parked.blob, parked.size));
}

}  // namespace packice
