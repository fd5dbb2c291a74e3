// Metadata as one JSON text, as the catalog keeps it: {"key":value,...}.
//
// Functions only; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/metadata.h"

namespace packice {

std::string MetadataToText(const Metadata& metadata);

// Takes what MetadataToText wrote, and other JSON objects whose keys have no surrogate escapes.
// `corrupt` for anything else. Values are cut out, not read.
absl::StatusOr<Metadata> MetadataFromText(absl::string_view text);

}  // namespace packice
