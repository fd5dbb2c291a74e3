// The same work for many items, several at a time.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace packice::cli {

// Calls `work(i)` for every i below `count`, from up to `workers` threads. After a failure no
// further item is begun; answers the first failure.
absl::Status InParallel(size_t count, size_t workers, absl::FunctionRef<absl::Status(size_t)> work);

}  // namespace packice::cli
