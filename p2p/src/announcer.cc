#include "announcer.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLastRetry = absl::Seconds(5);
// After a tracker had no room for some of the holdings.
constexpr int kIntervalsUntilFullAgain = 4;
// What a holding takes in a message beside its id and digest.
constexpr size_t kBytesOfHolding = 56;

size_t BytesOf(const Holding& holding) {
  return kBytesOfHolding + holding.object_id.bytes().size() + ContentDigest::kMaxBytes;
}

void Add(const Holding& holding, absl::Time wall_time, tracker::v1::AnnounceRequest& request) {
  tracker::v1::Holding& told = *request.add_holdings();
  told.set_object_id(std::string(holding.object_id.bytes()));
  told.set_size(holding.size);
  told.set_digest(holding.digest.Encode());
  told.set_pieces(holding.pieces);
  told.set_pieces_held(holding.pieces_held);
  told.set_sealed_at_ms(absl::ToUnixMillis(holding.sealed_at));
  if (holding.expires_at && *holding.expires_at != absl::InfiniteFuture()) {
    const absl::Duration left = std::max(*holding.expires_at - wall_time, absl::ZeroDuration());
    told.set_ttl_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(left)));
  }
}

bool HasRoom(const tracker::v1::AnnounceRequest& request, size_t bytes) {
  const auto items = static_cast<size_t>(request.holdings_size() + request.withdrawn_size());
  return items < Announcer::kMaxItems && bytes < Announcer::kMaxBytes;
}

}  // namespace

Announcer::Announcer(Options options, Instant now)
    : options_(std::move(options)), rendezvous_(options_.trackers) {
  outboxes_.resize(options_.trackers.size());
  for (Outbox& outbox : outboxes_) outbox.due = now;
}

void Announcer::Hold(const Holding& holding, Instant now) {
  const auto found = holdings_.find(holding.object_id);
  if (found != holdings_.end()) holdings_.erase(found);
  holdings_.insert(holding);
  Changed(holding.object_id, now);
}

void Announcer::LetGo(const ObjectId& object_id, Instant now) {
  const auto found = holdings_.find(object_id);
  if (found == holdings_.end()) return;
  holdings_.erase(found);
  Changed(object_id, now);
}

void Announcer::Changed(const ObjectId& object_id, Instant now) {
  for (size_t tracker : rendezvous_.Of(object_id)) {
    Outbox& outbox = outboxes_[tracker];
    if (outbox.failures == 0) outbox.due = std::min(outbox.due, now + options_.batch_delay);
    // A run that has begun may have named it in a message of which nobody knows whether it came:
    // what is gone is told in any case.
    const bool ahead = outbox.full && (!outbox.full->begun ||
                                       (outbox.full->told_to < object_id && Holds(object_id)));
    if (!ahead) outbox.changed.insert(object_id);
  }
}

Instant Announcer::Due(size_t tracker) const {
  const Outbox& outbox = outboxes_[tracker];
  return outbox.under_way ? absl::InfiniteDuration() : outbox.due;
}

tracker::v1::AnnounceRequest Announcer::Begin(size_t tracker, double load, absl::Time wall_time) {
  Outbox& outbox = outboxes_[tracker];
  outbox.under_way = true;
  outbox.full_before = outbox.full;
  outbox.ends_full = false;

  tracker::v1::AnnounceRequest request;
  request.mutable_node()->set_address(options_.address);
  request.mutable_node()->set_zone(options_.zone);
  request.mutable_node()->set_load(static_cast<float>(std::min(std::max(load, 0.0), 1.0)));
  request.mutable_node()->set_epoch(options_.epoch);
  request.set_sequence(outbox.sequence + 1);
  size_t bytes = 0;
  AddChanges(outbox, request, bytes, wall_time);
  if (outbox.full) AddRun(tracker, request, bytes, wall_time);
  return request;
}

void Announcer::AddChanges(Outbox& outbox, tracker::v1::AnnounceRequest& request, size_t& bytes,
                           absl::Time wall_time) {
  while (!outbox.changed.empty() && HasRoom(request, bytes)) {
    const ObjectId& id = *outbox.changed.begin();
    const auto held = holdings_.find(id);
    if (held != holdings_.end()) {
      Add(*held, wall_time, request);
      bytes += BytesOf(*held);
    } else {
      request.add_withdrawn(std::string(id.bytes()));
      bytes += id.bytes().size();
    }
    outbox.changed_under_way.push_back(id);
    outbox.changed.erase(outbox.changed.begin());
  }
}

void Announcer::AddRun(size_t tracker, tracker::v1::AnnounceRequest& request, size_t& bytes,
                       absl::Time wall_time) {
  Outbox& outbox = outboxes_[tracker];
  Run& run = *outbox.full;
  request.set_full_begin(!run.begun);
  auto next = run.begun ? holdings_.upper_bound(run.told_to) : holdings_.begin();
  run.begun = true;
  for (; next != holdings_.end() && HasRoom(request, bytes); ++next) {
    run.told_to = next->object_id;
    if (!rendezvous_.Concerns(next->object_id, tracker)) continue;
    Add(*next, wall_time, request);
    bytes += BytesOf(*next);
  }
  if (next != holdings_.end()) return;
  request.set_full_end(true);
  outbox.ends_full = true;
  outbox.full.reset();  // from now on, what changes is told as such
}

void Announcer::Answered(size_t tracker, const tracker::v1::AnnounceResponse& response,
                         Instant now) {
  Outbox& outbox = outboxes_[tracker];
  outbox.under_way = false;
  ++outbox.sequence;
  ++outbox.attempts;
  outbox.failures = 0;
  outbox.changed_under_way.clear();
  outbox.interval = std::max(absl::Milliseconds(static_cast<int64_t>(
                                 std::min<uint64_t>(response.interval_ms(), 1u << 30))),
                             absl::Milliseconds(1));
  if (response.refused() > 0) {
    outbox.full_again = now + kIntervalsUntilFullAgain * outbox.interval;
  }
  if (response.want_full() || outbox.full_again <= now) {
    outbox.full = Run();
    outbox.full_again = absl::InfiniteDuration();
    outbox.changed.clear();
  }
  // Not all nodes at the same moment, and some time before it is too late.
  const bool more = outbox.full || !outbox.changed.empty();
  outbox.due = more ? now : now + outbox.interval * (0.7 + 0.2 * Chance());
}

void Announcer::Failed(size_t tracker, Instant now) {
  Outbox& outbox = outboxes_[tracker];
  outbox.under_way = false;
  ++outbox.attempts;
  // Whether the tracker got it, nobody knows: it is told again under the same number.
  outbox.full = outbox.full_before;
  for (ObjectId& id : outbox.changed_under_way) outbox.changed.insert(std::move(id));
  outbox.changed_under_way.clear();
  const uint32_t doublings = std::min(outbox.failures, 10u);
  ++outbox.failures;
  // A tracker that comes back is told all within an interval.
  const absl::Duration last = std::min(kLastRetry, outbox.interval / 3);
  const absl::Duration wait = std::min(kFirstRetry * (1 << doublings), last);
  outbox.due = now + wait * (0.5 + 0.5 * Chance());
}

bool Announcer::Settled(size_t tracker) const {
  const Outbox& outbox = outboxes_[tracker];
  return !outbox.under_way && !outbox.full && outbox.changed.empty();
}

void Announcer::Hurry(Instant now) {
  for (size_t tracker = 0; tracker < outboxes_.size(); ++tracker) {
    if (!Settled(tracker)) outboxes_[tracker].due = now;
  }
}

double Announcer::Chance() {
  uint8_t bytes[4];
  options_.random->Fill(absl::MakeSpan(bytes));
  uint32_t value = 0;
  for (uint8_t byte : bytes) value = value << 8 | byte;
  return value * 0x1p-32;
}

}  // namespace packice
