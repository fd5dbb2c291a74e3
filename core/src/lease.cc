#include "packice/core/lease.h"

namespace packice {

absl::string_view AccessName(Access access) {
  switch (access) {
    case Access::kRead:
      return "read";
    case Access::kCreate:
      return "create";
    case Access::kWrite:
      return "write";
  }
  return "unknown";
}

}  // namespace packice
