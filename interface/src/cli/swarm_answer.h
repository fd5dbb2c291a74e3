// What a node answers to operations that touch several objects or holders, and may fail in part.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/transport/json_value.h"

namespace packice::cli {

// The failures among `parts`, each named by its member `name`: all but the last one are told here
// (Complain), the last one is for the caller.
absl::Status LastFailure(absl::Span<const JsonValue> parts, absl::string_view name);

}  // namespace packice::cli
