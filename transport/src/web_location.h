// Which file of a web server an object id names. Pure functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/object_id.h"

namespace packice {

struct WebBase {
  std::string server;  // "https://host:port"
  std::string path;    // "/base" or empty: what stands before the slash and the id

  // `invalid_argument`.
  static absl::StatusOr<WebBase> Parse(absl::string_view url);

  // The target of a request. `invalid_argument` for an id with empty or dot segments, which a
  // server could take for another path.
  absl::StatusOr<std::string> TargetOf(const ObjectId& id) const;
};

}  // namespace packice
