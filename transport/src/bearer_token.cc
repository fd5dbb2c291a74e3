#include "bearer_token.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace packice {

bool HasBearerToken(absl::string_view authorization, absl::string_view token) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (token.empty() || !absl::StartsWithIgnoreCase(authorization, kScheme)) return false;
  const absl::string_view given = absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
  // The loop's length is the client's own; volatile, so that no compiler leaves it early.
  volatile unsigned differences = given.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    differences =
        differences | static_cast<unsigned>(static_cast<unsigned char>(given[i]) ^
                                            static_cast<unsigned char>(token[i % token.size()]));
  }
  return differences == 0;
}

}  // namespace packice
