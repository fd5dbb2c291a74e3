#include "node_address.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

absl::StatusOr<NodeAddress> NodeAddress::Parse(absl::string_view text) {
  const size_t colon = text.rfind(':');
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  uint32_t port = 0;
  if (colon == absl::string_view::npos || host.empty() ||
      (!bracketed && host.find(':') != absl::string_view::npos) ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 0xffff) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("\"", absl::CEscape(text),
                                  "\" is no address of a node; give host:port, as 10.0.0.1:7701"));
  }
  return NodeAddress{std::string(host), static_cast<uint16_t>(port)};
}

std::string NodeAddress::ToText() const {
  const bool brackets = host.find(':') != std::string::npos;
  return brackets ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace packice
