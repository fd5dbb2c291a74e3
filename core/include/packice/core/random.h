// Where random bytes come from. Passed into constructors, so that tests can choose them.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace packice {

// Implementations are thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;

  virtual void Fill(absl::Span<uint8_t> out) = 0;

  // The kernel's generator (getrandom(2)), read ahead by a page for each thread so that a lease id
  // costs no system call. A forked child starts afresh. Lives for ever.
  static RandomSource& System();
};

}  // namespace packice
