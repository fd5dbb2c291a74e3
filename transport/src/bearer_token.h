// Whether a client knows the token. Pure; thread-safe.
#pragma once

#include "absl/strings/string_view.h"

namespace packice {

// `authorization` as the header had it (RFC 6750, 2.1). Takes as long for a wrong token as for the
// right one, so that nobody can find it byte by byte.
bool HasBearerToken(absl::string_view authorization, absl::string_view token);

}  // namespace packice
