#include "sdk/held_objects.h"

#include <utility>

namespace packice::sdk {

absl::optional<HeldObjects::Entry> HeldObjects::EntryOf(const ObjectId& id) {
  State& state = state_.Get();
  MutexLock lock(state.mutex);
  const auto found = state.entries.find(id);
  if (found == state.entries.end()) return absl::nullopt;
  return found->second;
}

absl::optional<HeldObject> HeldObjects::Find(const ObjectId& id) {
  absl::optional<Entry> entry = EntryOf(id);
  if (!entry.has_value()) return absl::nullopt;
  const std::shared_ptr<const NodeConnection> connection = entry->connection.lock();
  if (connection == nullptr || connection->broken.load(std::memory_order_acquire)) {
    return absl::nullopt;
  }
  absl::optional<LeaseShare> lease = LeaseShare::Of(entry->lease.lock());
  std::shared_ptr<SealedObject> object = entry->object.lock();
  // The share pins the object before the index is asked about it: nothing else can have its place.
  if (object == nullptr || !lease.has_value() ||
      !index_.IsAt(id.bytes(), entry->place, object->bytes.size())) {
    return absl::nullopt;
  }
  return HeldObject{*std::move(lease), std::move(object)};
}

void HeldObjects::Add(const HeldObject& held, const ObjectPlace& place,
                      const std::shared_ptr<const NodeConnection>& connection) {
  Entry entry{held.lease.lease(), held.object, place, connection};
  State& state = state_.Get();
  MutexLock lock(state.mutex);
  state.entries.insert_or_assign(held.object->id, std::move(entry));
  if (state.entries.size() < state.look_at) return;
  absl::erase_if(state.entries, [](const auto& one) { return one.second.lease.expired(); });
  state.look_at = 2 * state.entries.size() + 64;
}

}  // namespace packice::sdk
