#include "holder_list.h"

#include <algorithm>
#include <tuple>

namespace packice {
namespace {

constexpr int kUselessAfter = 3;  // failures

}  // namespace

bool HolderList::Learn(const std::string& address, bool near, Instant now) {
  if (address.empty() || address == self_) return false;
  if (Entry* const known = Find(address)) {
    known->near |= near;
    return false;
  }
  if (entries_.size() >= kMax) MakeRoom();
  if (entries_.size() >= kMax) return false;
  Entry entry;
  entry.address = address;
  entry.near = near;
  entry.next_try = now;
  entries_.push_back(std::move(entry));
  return true;
}

const HolderList::Entry* HolderList::Take(Instant now) {
  Entry* best = nullptr;
  uint64_t equals = 0;
  const auto rank = [](const Entry& entry) { return std::make_tuple(!entry.near, entry.failures); };
  for (Entry& entry : entries_) {
    if (entry.in_use || entry.banned || entry.next_try > now) continue;
    if (best != nullptr && rank(entry) > rank(*best)) continue;
    if (best == nullptr || rank(entry) < rank(*best)) equals = 0;
    if (random_.Below(++equals) == 0) best = &entry;
  }
  if (best != nullptr) best->in_use = true;
  return best;
}

Instant HolderList::NextTry() const {
  Instant next = absl::InfiniteDuration();
  for (const Entry& entry : entries_) {
    if (!entry.in_use && !entry.banned) next = std::min(next, entry.next_try);
  }
  return next;
}

void HolderList::Failed(const std::string& address, Instant now) {
  Entry* const entry = Find(address);
  if (entry == nullptr) return;
  entry->in_use = false;
  const double growth = static_cast<double>(1 << std::min(entry->failures, 10));
  const absl::Duration delay = std::min(kFirstDelay * growth, kLastDelay);
  entry->next_try = now + delay * (0.75 + 0.5 * random_.Fraction());
  ++entry->failures;
}

void HolderList::Busy(const std::string& address, Instant until) {
  Entry* const entry = Find(address);
  if (entry == nullptr) return;
  entry->in_use = false;
  entry->next_try = until;
}

void HolderList::Worked(const std::string& address) {
  if (Entry* const entry = Find(address)) entry->failures = 0;
}

void HolderList::Ban(const std::string& address) {
  Entry* const entry = Find(address);
  if (entry == nullptr) return;
  entry->in_use = false;
  entry->banned = true;
}

bool HolderList::hopeful() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
    return !entry.banned && entry.failures < kUselessAfter;
  });
}

bool HolderList::all_banned() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.banned; });
}

std::vector<std::string> HolderList::Useless() const {
  std::vector<std::string> useless;
  for (const Entry& entry : entries_) {
    if (entry.banned || entry.failures >= kUselessAfter) useless.push_back(entry.address);
  }
  return useless;
}

HolderList::Entry* HolderList::Find(const std::string& address) {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.address == address; });
  return it == entries_.end() ? nullptr : &*it;
}

void HolderList::MakeRoom() {
  const auto worst =
      std::max_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
        const auto uselessness = [](const Entry& entry) {
          return entry.in_use || entry.banned ? -1 : entry.failures;
        };
        return uselessness(a) < uselessness(b);
      });
  if (worst != entries_.end() && !worst->in_use && !worst->banned) entries_.erase(worst);
}

}  // namespace packice
