#include "token_bucket.h"

#include <algorithm>

namespace packice {
namespace {

// As many bytes may come in a burst as flow in this time.
constexpr double kBurstSeconds = 0.05;

}  // namespace

TokenBucket::TokenBucket(absl::optional<uint64_t> rate, Instant now) : rate_(rate), as_of_(now) {
  if (rate_) tokens_ = static_cast<double>(*rate_) * kBurstSeconds;
}

Instant TokenBucket::ReadyAt(Instant now) const {
  if (!rate_) return now;
  const double tokens = TokensAt(now);
  if (tokens > 0) return now;
  // A nanosecond more, lest rounding makes the caller come too early for ever.
  return now + absl::Seconds(-tokens / static_cast<double>(*rate_)) + absl::Nanoseconds(1);
}

void TokenBucket::Take(uint64_t bytes, Instant now) {
  if (!rate_) return;
  tokens_ = TokensAt(now) - static_cast<double>(bytes);
  as_of_ = now;
}

double TokenBucket::TokensAt(Instant now) const {
  const double rate = static_cast<double>(*rate_);
  const double earned = absl::ToDoubleSeconds(now - as_of_) * rate;
  return std::min(tokens_ + earned, rate * kBurstSeconds);
}

}  // namespace packice
