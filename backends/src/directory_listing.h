// What is in a directory, name by name. Functions only; thread-safe.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace packice {

struct DirectoryEntry {
  absl::string_view name;  // never "." or ".."; valid during the call
  // For fstatat(2) and its family; open for the length of the call.
  int directory = -1;
};

// Calls `visit` for each entry of the directory `relative` to `at` ("": `at` itself), in no order,
// until it fails: with that failure. A directory that is not there is empty. Entries that come or
// go meanwhile may or may not be seen. `io`.
absl::Status ListDirectory(int at, const std::string& relative,
                           absl::FunctionRef<absl::Status(const DirectoryEntry&)> visit);

}  // namespace packice
