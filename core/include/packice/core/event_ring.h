// The last events of a node, numbered, for whoever watches: kept as values until newer ones take
// their place, read by any number of readers, each at its own pace.
//
// Thread-safe. Publish costs a short lock and a copy, and never waits for a reader; memory is
// bounded by the number of events kept. Waiting for the next event costs no thread: whoever
// publishes it runs the reader's callback.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"

namespace packice {

// A set of EventKinds. A value.
class EventKinds {
 public:
  static constexpr EventKinds None() { return EventKinds(0); }
  // Reads are told to those who ask for them by name: they cost, and there are many.
  static constexpr EventKinds AllButReads() { return EventKinds(~Bit(EventKind::kRead)); }

  constexpr EventKinds With(EventKind kind) const { return EventKinds(bits_ | Bit(kind)); }
  constexpr bool Has(EventKind kind) const { return (bits_ & Bit(kind)) != 0; }
  friend constexpr bool operator==(EventKinds a, EventKinds b) { return a.bits_ == b.bits_; }
  friend constexpr bool operator!=(EventKinds a, EventKinds b) { return !(a == b); }

 private:
  static constexpr uint32_t Bit(EventKind kind) { return 1u << static_cast<int>(kind); }
  constexpr explicit EventKinds(uint32_t bits) : bits_(bits & (Bit(kLastEventKind) * 2 - 1)) {}

  uint32_t bits_;
};

// An event as it was published.
struct EventRecord {
  uint64_t sequence = 0;  // from 1, without gaps, since the node's start
  absl::Time time;
  EventKind kind = EventKind::kCreated;
  std::string tier;
  ObjectId object_id;  // empty for what is told of a whole tier
  uint64_t size = 0;   // bytes of the object
  OperationId operation = OperationId::kNone;
  std::string detail;
};

struct EventsRequest {
  static constexpr size_t kDefaultLimit = 1000;
  static constexpr size_t kMaxLimit = 10000;

  // Events behind this sequence number. Nothing: from the oldest that is kept.
  absl::optional<uint64_t> after = {};
  // At most so many, up to kMaxLimit. With 0 the answer has no events, and its `next` is the number
  // of the newest: from where to watch what happens from now on.
  size_t limit = kDefaultLimit;
  EventKinds kinds = EventKinds::AllButReads();
  // How long to wait while there is none; then the answer is empty.
  absl::Duration wait = absl::ZeroDuration();
};

struct EventPage {
  std::vector<EventRecord> events;  // in order
  // All up to here were seen, whatever their kind: ask again with after = next.
  uint64_t next = 0;
};

struct EventRingOptions {
  size_t capacity = 8192;     // events, at least 1; each takes at most about 1 KiB
  size_t max_waiting = 1024;  // readers
  // How long after the last request for them reads are still told (WantsReads).
  absl::Duration reads_linger = absl::Seconds(30);
  Clock* clock = &Clock::System();
};

class EventRing final : public EventSink {
 public:
  // Of longer tiers and details only so many bytes are kept.
  static constexpr size_t kMaxTierBytes = 64;
  static constexpr size_t kMaxDetailBytes = 256;

  explicit EventRing(EventRingOptions options = {});

  void Publish(const Event& event) override;
  // Somebody has asked for kRead a short time ago, or waits for it.
  bool WantsReads() const override;

  // Answers at once when there is such an event, or the request does not wait; otherwise with the
  // next such event, from within its Publish, so `done` must be brief, must not block and must not
  // call a peer. A wait ends by Cancel alone: deadlines are the caller's, who has timers.
  // `retention_gap` when events behind `after` are gone, with the number to go on from;
  // `invalid_argument` when there is no event `after` yet: the numbers are those of another run of
  // the node; `capacity` when too many wait. The ring outlives its waits.
  void Read(const EventsRequest& request, OperationId operation,
            Done<absl::StatusOr<EventPage>> done);

  // Ends the wait of this operation with an empty page. Does nothing when there is none.
  void Cancel(OperationId operation);

  uint64_t last_sequence() const;
  size_t waiting() const;

 private:
  struct Slot {
    absl::Time time;
    uint64_t size = 0;
    OperationId operation = OperationId::kNone;
    EventKind kind = EventKind::kCreated;
    std::string object_id;  // these keep their room from event to event
    std::string tier;
    std::string detail;
  };
  struct Waiter {
    EventKinds kinds;
    Done<absl::StatusOr<EventPage>> done;
  };
  enum class Piece { kMore, kEnd, kFull };

  Slot& SlotOf(uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventRecord RecordOf(uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Oldest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Begin(const EventsRequest& request, EventPage& page)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks at a bounded number of events, so that nobody who publishes waits for long.
  Piece ReadSome(const EventsRequest& request, EventPage& page)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteInterest(EventKinds kinds);

  const EventRingOptions options_;
  // When reads stop being told, in nanoseconds of the clock's monotonic scale; 0: they are not.
  mutable std::atomic<int64_t> reads_until_{0};
  std::atomic<size_t> waiting_for_reads_{0};

  mutable Mutex mutex_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<OperationId, Waiter> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
