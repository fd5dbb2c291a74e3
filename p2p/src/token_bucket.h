// Keeps a flow of bytes to a rate. What is larger than the bucket still passes, and is paid for
// afterwards. A value; thread-compatible.
#pragma once

#include <cstdint>

#include "absl/types/optional.h"
#include "packice/core/clock.h"

namespace packice {

class TokenBucket {
 public:
  // Bytes a second, at least 1; nothing: no limit. `now` is when it begins, full.
  TokenBucket(absl::optional<uint64_t> rate, Instant now);

  // Whether something may pass now.
  bool Ready(Instant now) const { return ReadyAt(now) <= now; }
  // When something may pass; `now` where that is at once.
  Instant ReadyAt(Instant now) const;
  // So many bytes have passed.
  void Take(uint64_t bytes, Instant now);

 private:
  double TokensAt(Instant now) const;

  const absl::optional<uint64_t> rate_;
  double tokens_ = 0;  // at `as_of_`; below 0: to be paid for
  Instant as_of_;
};

}  // namespace packice
