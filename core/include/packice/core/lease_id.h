// The name of a lease: 128 random bits, so that nobody can guess one. A value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/random.h"

namespace packice {

class LeaseId {
 public:
  // All zero: names no lease.
  constexpr LeaseId() = default;

  static LeaseId Random(RandomSource& random);

  // Reads what ToString writes: 32 hexadecimal digits. Anything else names no lease that can exist:
  // `invalid_argument`.
  static absl::StatusOr<LeaseId> Parse(absl::string_view text);

  std::string ToString() const;
  void AppendTo(std::string& out) const;

  // Uniform over all leases: for choosing a stripe.
  uint64_t low_bits() const { return low_; }

  friend bool operator==(const LeaseId& a, const LeaseId& b) {
    return a.high_ == b.high_ && a.low_ == b.low_;
  }
  friend bool operator!=(const LeaseId& a, const LeaseId& b) { return !(a == b); }
  friend bool operator<(const LeaseId& a, const LeaseId& b) {
    return a.high_ != b.high_ ? a.high_ < b.high_ : a.low_ < b.low_;
  }
  template <typename H>
  friend H AbslHashValue(H state, const LeaseId& id) {
    return H::combine(std::move(state), id.low_);
  }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace packice
