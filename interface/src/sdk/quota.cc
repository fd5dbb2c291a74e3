#include "sdk/quota.h"

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::sdk {

absl::StatusOr<Quota::Share> Quota::Take(size_t count) {
  const size_t before = used_.fetch_add(count, std::memory_order_relaxed);
  if (before + count <= limit_) return Share(this, count);
  used_.fetch_sub(count, std::memory_order_relaxed);
  return MakeError(ErrorKind::kCapacity,
                   absl::StrCat("this client holds ", before, " ", what_, " and may hold ", limit_,
                                "; let go of some, or raise ConnectOptions::", option_));
}

}  // namespace packice::sdk
