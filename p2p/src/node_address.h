// "host:port" taken apart.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice {

struct NodeAddress {
  std::string host;  // a name or a number; of IPv6 without its brackets
  uint16_t port = 0;

  // "10.0.0.1:7701", "[::1]:7701", "node-3:7701". `invalid_argument`.
  static absl::StatusOr<NodeAddress> Parse(absl::string_view text);

  std::string ToText() const;
};

}  // namespace packice
