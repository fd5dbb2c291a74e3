#include "object_table.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"

namespace packice {

ObjectInfo ObjectRecord::Info() const {
  ObjectInfo info;
  info.object_id = id;
  info.state = phase == Phase::kSealed ? ObjectState::kSealed : ObjectState::kCreating;
  info.leases = leases;
  info.created_at = created_at;
  info.expires_at = expires_at;
  if (object == nullptr) return info;
  info.metadata = object->metadata();
  if (info.state == ObjectState::kSealed) info.sealed_at = object->sealed_at();
  for (const auto& blob : object->blobs()) info.blob_sizes.push_back(blob->size());
  return info;
}

ObjectRecord* ObjectTable::Stripe::Find(const ObjectId& id) {
  const auto it = live.find(id.bytes());
  return it == live.end() ? nullptr : it->second.get();
}

ObjectRecord* ObjectTable::Stripe::Find(const ObjectId& id, uint64_t incarnation) {
  ObjectRecord* record = Find(id);
  if (record != nullptr && record->incarnation == incarnation) return record;
  if (detached.empty()) return nullptr;
  const auto it = detached.find(incarnation);
  return it == detached.end() ? nullptr : it->second.get();
}

ObjectRecord& ObjectTable::Stripe::Insert(std::unique_ptr<ObjectRecord> record) {
  ObjectRecord& inserted = *record;
  ++creating;
  order.insert(inserted.id.bytes());
  live.emplace(inserted.id.bytes(), std::move(record));
  return inserted;
}

std::unique_ptr<ObjectRecord> ObjectTable::Stripe::Extract(ObjectRecord& record) {
  if (record.phase != Phase::kSealed) --creating;
  order.erase(record.id.bytes());
  const auto it = live.find(record.id.bytes());
  std::unique_ptr<ObjectRecord> extracted = std::move(it->second);
  live.erase(it);
  return extracted;
}

ListPage ObjectTable::List(const ListRequest& request) {
  // The smallest `limit + 1` ids over all stripes, as a heap with the largest on top. A stripe is
  // left as soon as its next id is too large, so that a page costs a few pages' worth of steps, not
  // the whole table.
  const auto by_id = [](const ObjectInfo& a, const ObjectInfo& b) {
    return a.object_id < b.object_id;
  };
  const size_t wanted = request.limit + 1;
  std::vector<ObjectInfo> heap;
  for (Stripe& stripe : stripes_) {
    MutexLock lock(stripe.mutex);
    auto it = stripe.order.lower_bound(std::max<absl::string_view>(request.prefix, request.after));
    for (; it != stripe.order.end(); ++it) {
      if (*it == absl::string_view(request.after) && !request.after.empty()) continue;
      if (!absl::StartsWith(*it, request.prefix)) break;
      if (heap.size() == wanted && heap.front().object_id.bytes() < *it) break;
      heap.push_back(stripe.live.find(*it)->second->Info());
      std::push_heap(heap.begin(), heap.end(), by_id);
      if (heap.size() > wanted) {
        std::pop_heap(heap.begin(), heap.end(), by_id);
        heap.pop_back();
      }
    }
  }
  std::sort_heap(heap.begin(), heap.end(), by_id);
  ListPage page;
  if (heap.size() == wanted) {
    heap.pop_back();
    page.next = heap.back().object_id;
  }
  page.objects = std::move(heap);
  return page;
}

}  // namespace packice
