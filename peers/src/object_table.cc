#include "object_table.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/match.h"

namespace packice {

RecordExtras& ObjectRecord::Extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<RecordExtras>();
  return *extras_;
}

void ObjectRecord::DropExtras() {
  if (extras_->object == nullptr && extras_->custody == nullptr && extras_->expiration == nullptr) {
    extras_ = nullptr;
  }
}

std::shared_ptr<Object> ObjectRecord::TakeObject() {
  std::shared_ptr<Object> object = std::move(extras_->object);
  DropExtras();
  return object;
}

Custody& ObjectRecord::MakeCustody() {
  std::unique_ptr<Custody>& custody = Extras().custody;
  if (custody == nullptr) custody = std::make_unique<Custody>();
  return *custody;
}

Expiration& ObjectRecord::MakeExpiration() {
  std::unique_ptr<Expiration>& expiration = Extras().expiration;
  if (expiration == nullptr) expiration = std::make_unique<Expiration>();
  return *expiration;
}

void ObjectRecord::DropCustody() {
  if (custody() == nullptr) return;
  extras_->custody = nullptr;
  DropExtras();
}

ObjectRecord* ObjectTable::Stripe::Find(const ObjectId& id) {
  const auto it = live.find(id.bytes());
  return it == live.end() ? nullptr : it->get();
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
  if (!inserted.sealed()) ++creating;
  order.insert(&inserted);
  live.insert(std::move(record));
  return inserted;
}

std::unique_ptr<ObjectRecord> ObjectTable::Stripe::Extract(ObjectRecord& record) {
  if (!record.sealed()) --creating;
  if (record.lingering) {
    record.lingering = false;
    lingering.erase(std::find(lingering.begin(), lingering.end(), &record));
  }
  order.erase(&record);
  return std::move(live.extract(live.find(record.id.bytes())).value());
}

ListPage ObjectTable::List(const ListRequest& request, InfoOf info_of) {
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
      const absl::string_view id = (*it)->id.bytes();
      if (id == absl::string_view(request.after) && !request.after.empty()) continue;
      if (!absl::StartsWith(id, request.prefix)) break;
      if (heap.size() == wanted && heap.front().object_id.bytes() < id) break;
      absl::optional<ObjectInfo> info = info_of(**it);
      if (!info.has_value()) continue;
      heap.push_back(*std::move(info));
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

StripePairLock::StripePairLock(ObjectTable::Stripe& a, ObjectTable::Stripe& b)
    : first_(std::less<>()(&a, &b) ? a.mutex : b.mutex),
      second_(&a == &b ? nullptr : (std::less<>()(&a, &b) ? &b.mutex : &a.mutex)) {
  first_.Lock();
  if (second_ != nullptr) second_->Lock();
}

StripePairLock::~StripePairLock() {
  if (second_ != nullptr) second_->Unlock();
  first_.Unlock();
}

}  // namespace packice
