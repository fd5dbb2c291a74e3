// docs/openapi.json, as it was when the node was built.
#pragma once

#include "absl/strings/string_view.h"

namespace packice {

absl::string_view OpenApiText();

}  // namespace packice
