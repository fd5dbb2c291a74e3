#include "prober.h"

#include <algorithm>
#include <utility>

namespace packice {

Prober::Prober(ProberOptions options, ProbeHost& host, Instant now, double phase, uint64_t sequence)
    : options_(options),
      host_(host),
      next_probe_(now + phase * options.interval),
      sequence_(sequence) {}

void Prober::Tick(Instant now) {
  if (probe_ && probe_->ask_helpers_at <= now) AskHelpers();
  for (auto relay = relays_.begin(); relay != relays_.end();) {
    if (relay->second.nack_at <= now) {
      relay->second.nack_at = absl::InfiniteDuration();
      host_.Refuse(relay->second.origin, NackMessage{relay->second.sequence});
    }
    relay = relay->second.forget_at <= now ? relays_.erase(relay) : std::next(relay);
  }
  if (next_probe_ <= now) {
    if (probe_) Fail();
    Begin(now);
  }
}

Instant Prober::NextTick() const {
  Instant next = next_probe_;
  if (probe_) next = std::min(next, probe_->ask_helpers_at);
  for (const auto& [sequence, relay] : relays_) {
    next = std::min({next, relay.nack_at, relay.forget_at});
  }
  return next;
}

void Prober::Begin(Instant now) {
  probe_.reset();
  next_probe_ = now + health_.Stretch(options_.interval);
  StatementRef target = host_.NextTarget();
  if (!target) return;
  ++probes_;
  probe_.emplace();
  probe_->sequence = ++sequence_;
  probe_->target = std::move(target);
  probe_->ask_helpers_at = now + health_.Stretch(options_.timeout);
  host_.Ping(probe_->target->address(), PingMessage{sequence_, probe_->target->address()});
}

void Prober::AskHelpers() {
  probe_->ask_helpers_at = absl::InfiniteDuration();
  const std::string& target = probe_->target->address();
  const std::vector<std::string> helpers = host_.Helpers(*probe_->target, options_.helpers);
  probe_->helpers = helpers.size();
  for (const std::string& helper : helpers) {
    host_.AskToPing(helper, PingRequestMessage{probe_->sequence, target});
  }
}

void Prober::Fail() {
  ++failed_;
  // Where all helpers are heard and say the same, the fault is not here.
  const size_t missing = probe_->helpers - std::min(probe_->helpers, probe_->nacks);
  if (missing > 0 || probe_->helpers == 0) health_.Raise(std::max<size_t>(missing, 1));
  const StatementRef target = probe_->target;
  probe_.reset();
  host_.OnProbeFailed(target);
}

void Prober::OnAck(const AckMessage& ack) {
  if (probe_ && probe_->sequence == ack.sequence) {
    probe_.reset();
    health_.Lower();
    return;
  }
  const auto relay = relays_.find(ack.sequence);
  if (relay == relays_.end()) return;
  // Late is better than never: the origin may wait longer than this member did.
  host_.Acknowledge(relay->second.origin, AckMessage{relay->second.sequence});
  relays_.erase(relay);
}

void Prober::OnNack(const NackMessage& nack) {
  if (probe_ && probe_->sequence == nack.sequence) ++probe_->nacks;
}

void Prober::OnPingRequest(Instant now, const std::string& from,
                           const PingRequestMessage& request) {
  if (relays_.size() == kMaxRelays) relays_.erase(relays_.begin());
  ++sequence_;
  // The nack must be there before the origin's probe ends, and that has begun a timeout earlier.
  relays_[sequence_] =
      Relay{from, request.sequence, now + 0.6 * options_.timeout, now + 4 * options_.interval};
  host_.Ping(request.target, PingMessage{sequence_, request.target});
}

void Prober::OnStall(Instant now) {
  health_.Raise(1);
  probe_.reset();
  relays_.clear();
  next_probe_ = now + options_.timeout;
}

}  // namespace packice
