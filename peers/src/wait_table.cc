#include "wait_table.h"

namespace packice {
namespace {

// The tickets of `key` in an index of (key, ticket) pairs.
template <typename Key, typename Ticket>
std::vector<Ticket> TicketsOf(const absl::btree_set<std::pair<Key, Ticket>>& index, Key key) {
  std::vector<Ticket> tickets;
  for (auto it = index.lower_bound({key, 0}); it != index.end() && it->first == key; ++it) {
    tickets.push_back(it->second);
  }
  return tickets;
}

}  // namespace

void WaitTable::Add(Waiter waiter) {
  MutexLock lock(mutex_);
  const Ticket ticket = ++last_;
  const AcquireRequest& request = waiter.request;
  by_object_[request.object_id].insert(ticket);
  by_deadline_.insert({waiter.deadline, ticket});
  if (request.session != SessionId::kNone) by_session_.insert({request.session, ticket});
  if (request.operation != OperationId::kNone) by_operation_.insert({request.operation, ticket});
  waiters_.emplace(ticket, std::move(waiter));
  count_.store(waiters_.size(), std::memory_order_release);
}

Waiter WaitTable::Take(Ticket ticket) {
  auto node = waiters_.extract(ticket);
  Waiter& waiter = node.mapped();
  const AcquireRequest& request = waiter.request;
  auto object = by_object_.find(request.object_id);
  object->second.erase(ticket);
  if (object->second.empty()) by_object_.erase(object);
  by_deadline_.erase({waiter.deadline, ticket});
  by_session_.erase({request.session, ticket});
  by_operation_.erase({request.operation, ticket});
  count_.store(waiters_.size(), std::memory_order_release);
  return std::move(waiter);
}

std::vector<Waiter> WaitTable::Take(const std::vector<Ticket>& tickets) {
  std::vector<Waiter> taken;
  taken.reserve(tickets.size());
  for (const Ticket ticket : tickets) taken.push_back(Take(ticket));
  return taken;
}

std::vector<Waiter> WaitTable::TakeObject(const ObjectId& object_id) {
  MutexLock lock(mutex_);
  const auto object = by_object_.find(object_id);
  if (object == by_object_.end()) return {};
  return Take(std::vector<Ticket>(object->second.begin(), object->second.end()));
}

std::vector<Waiter> WaitTable::TakeDue(Instant now) {
  MutexLock lock(mutex_);
  std::vector<Ticket> tickets;
  for (const auto& [deadline, ticket] : by_deadline_) {
    if (deadline > now) break;
    tickets.push_back(ticket);
  }
  return Take(tickets);
}

std::vector<Waiter> WaitTable::TakeSession(SessionId session) {
  MutexLock lock(mutex_);
  return Take(TicketsOf(by_session_, session));
}

std::vector<Waiter> WaitTable::TakeOperation(OperationId operation) {
  MutexLock lock(mutex_);
  return Take(TicketsOf(by_operation_, operation));
}

std::vector<Waiter> WaitTable::TakeAll() {
  MutexLock lock(mutex_);
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiter] : waiters_) tickets.push_back(ticket);
  return Take(tickets);
}

Instant WaitTable::NextDeadline() const {
  if (!Any()) return absl::InfiniteDuration();
  MutexLock lock(mutex_);
  return by_deadline_.empty() ? absl::InfiniteDuration() : by_deadline_.begin()->first;
}

}  // namespace packice
