#include "packice/core/event_ring.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Events that are looked at under one lock: some microseconds.
constexpr uint64_t kPiece = 64;

EventRingOptions Checked(EventRingOptions options) {
  options.capacity = std::max<size_t>(options.capacity, 1);
  return options;
}

void Assign(absl::string_view text, size_t most, std::string& out) {
  if (text.size() > most) {
    // Not within a character.
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    text = text.substr(0, most);
  }
  out.assign(text.data(), text.size());
}

}  // namespace

EventRing::EventRing(EventRingOptions options)
    : options_(Checked(options)), slots_(options_.capacity) {}

EventRing::Slot& EventRing::SlotOf(uint64_t sequence) {
  return slots_[(sequence - 1) % slots_.size()];
}

EventRecord EventRing::RecordOf(uint64_t sequence) {
  const Slot& slot = SlotOf(sequence);
  EventRecord record;
  record.sequence = sequence;
  record.time = slot.time;
  record.kind = slot.kind;
  record.tier = slot.tier;
  if (!slot.object_id.empty()) record.object_id = *ObjectId::Parse(slot.object_id);
  record.size = slot.size;
  record.operation = slot.operation;
  record.detail = slot.detail;
  return record;
}

// The number of the oldest that is kept, or of the first to come.
uint64_t EventRing::Oldest() const { return last_ < slots_.size() ? 1 : last_ - slots_.size() + 1; }

void EventRing::Publish(const Event& event) {
  const absl::Time time = options_.clock->WallTime();
  std::vector<Done<absl::StatusOr<EventPage>>> woken;
  EventRecord record;
  {
    MutexLock lock(mutex_);
    Slot& slot = SlotOf(++last_);
    slot.time = time;
    slot.size = event.size;
    slot.operation = event.operation;
    slot.kind = event.kind;
    Assign(event.object_id.bytes(), ObjectId::kMaxBytes, slot.object_id);
    Assign(event.tier, kMaxTierBytes, slot.tier);
    Assign(event.detail, kMaxDetailBytes, slot.detail);
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      Waiter& waiter = it->second;
      if (!waiter.kinds.Has(event.kind)) {
        ++it;
        continue;
      }
      if (waiter.kinds.Has(EventKind::kRead)) --waiting_for_reads_;
      woken.push_back(std::move(waiter.done));
      it = waiting_.erase(it);
    }
    if (!woken.empty()) record = RecordOf(last_);
  }
  for (auto& done : woken) {
    EventPage page;
    page.events.push_back(record);
    page.next = record.sequence;
    std::move(done)(std::move(page));
  }
}

bool EventRing::WantsReads() const {
  if (waiting_for_reads_.load(std::memory_order_relaxed) > 0) return true;
  int64_t until = reads_until_.load(std::memory_order_relaxed);
  if (until == 0) return false;
  if (absl::ToInt64Nanoseconds(options_.clock->Now()) < until) return true;
  // Asking for the time costs; nobody needs to again.
  reads_until_.compare_exchange_strong(until, 0, std::memory_order_relaxed);
  return false;
}

void EventRing::NoteInterest(EventKinds kinds) {
  if (!kinds.Has(EventKind::kRead)) return;
  reads_until_.store(absl::ToInt64Nanoseconds(options_.clock->Now() + options_.reads_linger),
                     std::memory_order_relaxed);
}

absl::Status EventRing::Begin(const EventsRequest& request, EventPage& page) {
  page.next = Oldest() - 1;
  if (request.after && *request.after > last_) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat("there is no event ", *request.after, " yet, the newest is ", last_,
                     ": the node was started anew since; ask without a number for what it has"));
  }
  if (request.after && *request.after < page.next) {
    return MakeError(ErrorKind::kRetentionGap,
                     absl::StrCat(page.next - *request.after, " events behind ", *request.after,
                                  " are gone; the oldest is ", page.next + 1, ": go on after ",
                                  page.next, ", and read more often"));
  }
  if (request.after) page.next = *request.after;
  if (request.limit == 0) page.next = last_;
  return absl::OkStatus();
}

EventRing::Piece EventRing::ReadSome(const EventsRequest& request, EventPage& page) {
  if (page.next + 1 < Oldest()) {
    // They went while others were read. Who asked for a number learns of it by the next request.
    if (request.after || !page.events.empty()) return Piece::kFull;
    page.next = Oldest() - 1;
  }
  const uint64_t end = std::min(last_, page.next + kPiece);
  while (page.next < end) {
    if (page.events.size() >= request.limit) return Piece::kFull;
    if (request.kinds.Has(SlotOf(page.next + 1).kind)) {
      page.events.push_back(RecordOf(page.next + 1));
    }
    ++page.next;
  }
  return page.next < last_ ? Piece::kMore : Piece::kEnd;
}

void EventRing::Read(const EventsRequest& request, OperationId operation,
                     Done<absl::StatusOr<EventPage>> done) {
  NoteInterest(request.kinds);
  EventPage page;
  absl::Status status;
  Piece piece = Piece::kMore;
  for (bool first = true; status.ok() && piece == Piece::kMore; first = false) {
    MutexLock lock(mutex_);
    if (first) status = Begin(request, page);
    if (!status.ok()) break;
    piece = ReadSome(request, page);
    const bool waits = piece == Piece::kEnd && page.events.empty() && request.limit > 0 &&
                       request.wait > absl::ZeroDuration() && operation != OperationId::kNone;
    if (!waits) continue;
    if (waiting_.size() >= options_.max_waiting) {
      status = MakeError(
          ErrorKind::kCapacity,
          absl::StrCat(options_.max_waiting, " readers wait for events already; ask again later"));
      break;
    }
    if (request.kinds.Has(EventKind::kRead)) ++waiting_for_reads_;
    waiting_.emplace(operation, Waiter{request.kinds, std::move(done)});
    return;
  }
  if (!status.ok()) return std::move(done)(std::move(status));
  std::move(done)(std::move(page));
}

void EventRing::Cancel(OperationId operation) {
  Done<absl::StatusOr<EventPage>> done;
  EventPage page;
  {
    MutexLock lock(mutex_);
    const auto it = waiting_.find(operation);
    if (it == waiting_.end()) return;
    // Nothing up to here was for it.
    page.next = last_;
    if (it->second.kinds.Has(EventKind::kRead)) --waiting_for_reads_;
    done = std::move(it->second.done);
    waiting_.erase(it);
  }
  std::move(done)(std::move(page));
}

uint64_t EventRing::last_sequence() const {
  MutexLock lock(mutex_);
  return last_;
}

size_t EventRing::waiting() const {
  MutexLock lock(mutex_);
  return waiting_.size();
}

}  // namespace packice
