// What nodes reported of holders: who is said to be gone or to send wrong bytes, by whom, for how
// long that counts. Part of TrackerTable; thread-compatible.
//
// A report is somebody's word, and a liar must not be able to take a holder from everybody. Three
// rules see to that:
//  - A report only changes the order in which holders are told. A holder of bad standing comes
//  last,
//    and is left out only where holders of better standing have the whole object. So no number of
//    liars makes an object unfindable; they can make an asker try another holder first.
//  - One reporter, however often and of whatever, never brings a holder below "last". It takes
//    several nodes: three to call it gone, two to call its bytes wrong. Only nodes that announce
//    count, so a name that somebody makes up has no voice.
//  - Reports lapse, and an announce of the object by its holder ends those of its being gone.
// Who reported a holder itself is believed as far as its own answers go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"

namespace packice {

class TrackerContent;

// The better, the smaller.
enum class HolderStanding : uint8_t {
  kGood,
  kDoubted,  // last
  kShunned,  // left out where others have the whole object
};

class FaultBook {
 public:
  static constexpr size_t kGoneVoices = 3;
  static constexpr size_t kCorruptVoices = 2;
  // Further reports push out the oldest.
  static constexpr size_t kMaxEntries = 100'000;

  explicit FaultBook(absl::Duration interval) : interval_(interval) {}

  // Reports of being gone count for one interval, of wrong bytes for four. `reporter` is a node's
  // slot.
  void Report(const TrackerContent* content, uint32_t holder, uint32_t reporter, bool corrupt,
              Instant now);

  // `asker`: a node's slot, or kNobody.
  HolderStanding StandingOf(const TrackerContent* content, uint32_t holder, uint32_t asker,
                            Instant now) const;
  static constexpr uint32_t kNobody = ~uint32_t{0};

  // The holder said again that it has it.
  void Announced(const TrackerContent* content, uint32_t holder);
  // It is no holder any more.
  void Forget(const TrackerContent* content, uint32_t holder);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

 private:
  using Key = std::pair<const TrackerContent*, uint32_t>;
  struct Voice {
    uint32_t reporter;
    bool corrupt;
    Instant until;
  };
  using Voices = absl::InlinedVector<Voice, 4>;

  void DropLapsed(Instant now);

  const absl::Duration interval_;
  absl::flat_hash_map<Key, Voices> entries_;
  std::deque<std::pair<Instant, Key>> order_;  // of the first report of each, with when to look
};

}  // namespace packice
