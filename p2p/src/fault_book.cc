#include "fault_book.h"

#include <algorithm>

namespace packice {
namespace {

// More tell nothing new.
constexpr size_t kMaxVoices = 8;

}  // namespace

void FaultBook::Report(const TrackerContent* content, uint32_t holder, uint32_t reporter,
                       bool corrupt, Instant now) {
  DropLapsed(now);
  const Key key(content, holder);
  Voices& voices = entries_[key];
  if (voices.empty()) order_.emplace_back(now + 4 * interval_, key);
  voices.erase(std::remove_if(voices.begin(), voices.end(),
                              [&](const Voice& voice) {
                                return voice.until <= now ||
                                       (voice.reporter == reporter && voice.corrupt == corrupt);
                              }),
               voices.end());
  if (voices.size() == kMaxVoices) voices.erase(voices.begin());
  voices.push_back({reporter, corrupt, now + (corrupt ? 4 : 1) * interval_});
}

HolderStanding FaultBook::StandingOf(const TrackerContent* content, uint32_t holder, uint32_t asker,
                                     Instant now) const {
  const auto found = entries_.find(Key(content, holder));
  if (found == entries_.end()) return HolderStanding::kGood;
  size_t gone = 0;
  size_t corrupt = 0;
  for (const Voice& voice : found->second) {
    if (voice.until <= now) continue;
    if (voice.reporter == asker) return HolderStanding::kShunned;
    ++(voice.corrupt ? corrupt : gone);
  }
  if (gone >= kGoneVoices || corrupt >= kCorruptVoices) return HolderStanding::kShunned;
  return gone + corrupt > 0 ? HolderStanding::kDoubted : HolderStanding::kGood;
}

void FaultBook::Announced(const TrackerContent* content, uint32_t holder) {
  const auto found = entries_.find(Key(content, holder));
  if (found == entries_.end()) return;
  Voices& voices = found->second;
  voices.erase(std::remove_if(voices.begin(), voices.end(),
                              [](const Voice& voice) { return !voice.corrupt; }),
               voices.end());
  if (voices.empty()) entries_.erase(found);
}

void FaultBook::Forget(const TrackerContent* content, uint32_t holder) {
  entries_.erase(Key(content, holder));
}

// An entry that was forgotten and made anew stands in the order twice, so it may be dropped early:
// a hint is lost, no more.
void FaultBook::DropLapsed(Instant now) {
  while (!order_.empty() && (order_.front().first <= now || order_.size() >= kMaxEntries)) {
    entries_.erase(order_.front().second);
    order_.pop_front();
  }
}

}  // namespace packice
