// Tells JSON text from other bytes. Metadata's values are handed to clients as they are, so whoever
// takes them from another node has to vouch for them.
#pragma once

#include "absl/strings/string_view.h"

namespace packice {

inline constexpr int kMaxJsonDepth = 64;

// One value of RFC 8259 in valid UTF-8, with space around it at most; nested no deeper than
// kMaxJsonDepth. Thread-safe.
bool IsJsonText(absl::string_view text);

}  // namespace packice
