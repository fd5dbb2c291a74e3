#include "wait_table.h"

#include <algorithm>

namespace packice {
namespace {

size_t IndexOf(Access access) { return static_cast<size_t>(access); }

}  // namespace

void WaitTable::Add(Waiter waiter) {
  MutexLock lock(mutex_);
  const Ticket ticket = ++last_;
  const AcquireRequest& request = waiter.request;
  Queues& queues = by_object_[request.object_id];
  queues[IndexOf(request.access)].insert(ticket);
  if (request.wait == absl::ZeroDuration()) queues[kImpatient].insert(ticket);
  by_deadline_.insert({waiter.deadline, ticket});
  if (request.session != SessionId::kNone) by_session_.insert({request.session, ticket});
  if (request.operation != OperationId::kNone) by_operation_.insert({request.operation, ticket});
  waiters_.emplace(ticket, std::move(waiter));
  count_.store(waiters_.size(), std::memory_order_release);
}

Waiter WaitTable::TakeOut(Ticket ticket) {
  auto node = waiters_.extract(ticket);
  Waiter& waiter = node.mapped();
  const AcquireRequest& request = waiter.request;
  const auto object = by_object_.find(request.object_id);
  object->second[IndexOf(request.access)].erase(ticket);
  object->second[kImpatient].erase(ticket);
  if (std::all_of(object->second.begin(), object->second.end(),
                  [](const Tickets& tickets) { return tickets.empty(); })) {
    by_object_.erase(object);
  }
  by_deadline_.erase({waiter.deadline, ticket});
  by_session_.erase({request.session, ticket});
  by_operation_.erase({request.operation, ticket});
  count_.store(waiters_.size(), std::memory_order_release);
  return std::move(waiter);
}

WaitTable::Ticket WaitTable::FirstTicket(const ObjectId& object_id, size_t queue) const {
  const auto object = by_object_.find(object_id);
  if (object == by_object_.end()) return 0;
  const Tickets& tickets = object->second[queue];
  return tickets.empty() ? 0 : *tickets.begin();
}

const AcquireRequest* WaitTable::First(const ObjectId& object_id, size_t queue) const {
  MutexLock lock(mutex_);
  const Ticket ticket = FirstTicket(object_id, queue);
  return ticket == 0 ? nullptr : &waiters_.find(ticket)->second.request;
}

Waiter WaitTable::TakeFirst(const ObjectId& object_id, size_t queue) {
  MutexLock lock(mutex_);
  return TakeOut(FirstTicket(object_id, queue));
}

const AcquireRequest* WaitTable::First(const ObjectId& object_id, Access access) const {
  return First(object_id, IndexOf(access));
}

Waiter WaitTable::TakeFirst(const ObjectId& object_id, Access access) {
  return TakeFirst(object_id, IndexOf(access));
}

const AcquireRequest* WaitTable::FirstImpatient(const ObjectId& object_id) const {
  return First(object_id, kImpatient);
}

Waiter WaitTable::TakeFirstImpatient(const ObjectId& object_id) {
  return TakeFirst(object_id, kImpatient);
}

absl::optional<Waiter> WaitTable::Take(Ticket ticket) {
  MutexLock lock(mutex_);
  if (waiters_.find(ticket) == waiters_.end()) return absl::nullopt;
  return TakeOut(ticket);
}

template <typename Key>
std::vector<WaitTable::Place> WaitTable::PlacesOf(
    const absl::btree_set<std::pair<Key, Ticket>>& index, Key key) const {
  std::vector<Place> places;
  for (auto it = index.lower_bound({key, 0}); it != index.end() && it->first == key; ++it) {
    places.push_back({it->second, waiters_.find(it->second)->second.request.object_id});
  }
  return places;
}

std::vector<WaitTable::Place> WaitTable::DueBy(Instant now) const {
  std::vector<Place> places;
  if (!Any()) return places;
  MutexLock lock(mutex_);
  for (const auto& [deadline, ticket] : by_deadline_) {
    if (deadline > now) break;
    places.push_back({ticket, waiters_.find(ticket)->second.request.object_id});
  }
  return places;
}

std::vector<WaitTable::Place> WaitTable::OfSession(SessionId session) const {
  MutexLock lock(mutex_);
  return PlacesOf(by_session_, session);
}

std::vector<WaitTable::Place> WaitTable::OfOperation(OperationId operation) const {
  MutexLock lock(mutex_);
  return PlacesOf(by_operation_, operation);
}

std::vector<Waiter> WaitTable::TakeAll() {
  MutexLock lock(mutex_);
  std::vector<Waiter> taken;
  while (!waiters_.empty()) taken.push_back(TakeOut(waiters_.begin()->first));
  return taken;
}

Instant WaitTable::NextDeadline() const {
  if (!Any()) return absl::InfiniteDuration();
  MutexLock lock(mutex_);
  return by_deadline_.empty() ? absl::InfiniteDuration() : by_deadline_.begin()->first;
}

}  // namespace packice
