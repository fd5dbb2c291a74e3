#include "uplink.h"

#include <algorithm>

namespace packice {
namespace {

constexpr double kForgetting = 0.99;  // of the best rate, with each piece
// How long a piece is waited for before the next one goes, in times of what it should take. Where
// the uplink is full the next one waits for its end. Where it is not, because some reader's
// downlink is what is full, the next one goes sooner and sooner.
constexpr double kMostPatience = 1.1;
constexpr double kLeastPatience = 0.7;
constexpr double kPatienceStep = 0.02;
constexpr double kFull = 0.92;  // of the best rate
constexpr absl::Duration kFirstPatience = absl::Milliseconds(20);
constexpr absl::Duration kLeastTime = absl::Microseconds(10);

}  // namespace

bool Uplink::HasRoom(Instant now) const {
  if (sending_.size() >= kMaxSending) return false;
  return std::all_of(sending_.begin(), sending_.end(),
                     [&](const Sending& sending) { return HeldUpAt(sending) <= now; });
}

Instant Uplink::RoomBy(Instant now) const {
  if (sending_.size() >= kMaxSending) return absl::InfiniteDuration();
  Instant by = now;
  for (const Sending& sending : sending_) by = std::max(by, HeldUpAt(sending));
  return by;
}

void Uplink::Begin(const Sending& sending) {
  if (sending_.empty()) busy_since_ = last_end_ = sending.since;
  sending_.push_back(sending);
}

uint64_t Uplink::End(LinkId link, uint32_t channel, uint32_t piece, Instant now) {
  const auto it = std::find_if(sending_.begin(), sending_.end(), [&](const Sending& sending) {
    return sending.link == link && sending.channel == channel && sending.piece == piece;
  });
  if (it == sending_.end()) return 0;
  const uint64_t bytes = it->bytes;
  const double seconds = absl::ToDoubleSeconds(std::max(now - it->since, kLeastTime));
  best_rate_ = std::max(best_rate_ * kForgetting, static_cast<double>(bytes) / seconds);
  const double together =
      static_cast<double>(bytes) / absl::ToDoubleSeconds(std::max(now - last_end_, kLeastTime));
  used_ += (std::min(1.0, together / best_rate_) - used_) / 8;
  patience_ += used_ < kFull ? -kPatienceStep : kPatienceStep;
  patience_ = std::clamp(patience_, kLeastPatience, kMostPatience);
  last_end_ = now;
  sending_.erase(it);
  NoteBusy(now);
  return bytes;
}

void Uplink::Drop(LinkId link, Instant now) {
  const size_t before = sending_.size();
  sending_.erase(std::remove_if(sending_.begin(), sending_.end(),
                                [&](const Sending& sending) { return sending.link == link; }),
                 sending_.end());
  if (sending_.size() != before) NoteBusy(now);
}

bool Uplink::Sends(LinkId link, uint32_t channel) const {
  return std::any_of(sending_.begin(), sending_.end(), [&](const Sending& sending) {
    return sending.link == link && sending.channel == channel;
  });
}

bool Uplink::SendsMost(LinkId link) const {
  return std::count_if(sending_.begin(), sending_.end(),
                       [&](const Sending& sending) { return sending.link == link; }) >= kMaxOfLink;
}

double Uplink::Load(Instant now) const {
  RateMeter busy = busy_;
  if (!sending_.empty()) busy.Add(absl::ToDoubleSeconds(now - busy_since_), now);
  return std::min(1.0, busy.Rate(now));
}

Instant Uplink::HeldUpAt(const Sending& sending) const {
  if (best_rate_ <= 0) return sending.since + kFirstPatience;
  const double seconds = static_cast<double>(sending.bytes) / best_rate_;
  return sending.since + absl::Seconds(seconds * patience_);
}

void Uplink::NoteBusy(Instant now) {
  busy_.Add(absl::ToDoubleSeconds(now - busy_since_), now);
  busy_since_ = now;
}

}  // namespace packice
