#include "dirty_objects.h"

#include <utility>

namespace packice {

bool DirtyObjects::Add(std::unique_ptr<DirtyObject> object) {
  const uint64_t bytes = object->bytes();
  DirtyObject* const raw = object.get();
  const auto [it, added] =
      objects_.try_emplace(raw->id(), Entry{nullptr, bytes, Place::kQueue, queue_.end()});
  if (!added) return false;
  it->second.object = std::move(object);
  it->second.position = queue_.insert(queue_.end(), raw);
  if (raw->expires_at.has_value()) ends_.emplace(*raw->expires_at, raw->id());
  bytes_ += bytes;
  queued_bytes_ += bytes;
  return true;
}

DirtyObject* DirtyObjects::Find(const ObjectId& id) const {
  const auto it = objects_.find(id);
  return it == objects_.end() ? nullptr : it->second.object.get();
}

std::unique_ptr<DirtyObject> DirtyObjects::Erase(const ObjectId& id) {
  const auto it = objects_.find(id);
  if (it == objects_.end()) return nullptr;
  Leave(it->second, Place::kTaken);
  bytes_ -= it->second.bytes;
  std::unique_ptr<DirtyObject> object = std::move(it->second.object);
  objects_.erase(it);
  return object;
}

DirtyObject* DirtyObjects::First() const { return queue_.empty() ? nullptr : queue_.front(); }

DirtyObject* DirtyObjects::FirstToEnd() const {
  return ends_.empty() ? nullptr : Find(ends_.begin()->second);
}

void DirtyObjects::Leave(Entry& entry, Place place) {
  if (entry.place == Place::kQueue) {
    queue_.erase(entry.position);
    const DirtyObject& object = *entry.object;
    if (object.expires_at.has_value()) ends_.erase({*object.expires_at, object.id()});
    queued_bytes_ -= entry.bytes;
  }
  entry.place = place;
}

void DirtyObjects::Take(DirtyObject& object) {
  Leave(objects_.find(object.id())->second, Place::kTaken);
}

void DirtyObjects::PutAside(DirtyObject& object) {
  Leave(objects_.find(object.id())->second, Place::kAside);
}

void DirtyObjects::PutBack(DirtyObject& object) {
  Entry& entry = objects_.find(object.id())->second;
  if (entry.place == Place::kQueue) return;
  entry.place = Place::kQueue;
  entry.position = queue_.insert(queue_.begin(), &object);
  if (object.expires_at.has_value()) ends_.emplace(*object.expires_at, object.id());
  queued_bytes_ += entry.bytes;
}

bool DirtyObjects::IsAside(const DirtyObject& object) const {
  return objects_.find(object.id())->second.place == Place::kAside;
}

}  // namespace packice
