// The control protocol's values as HTTP requests and answers, as a client makes and reads them.
// Pure functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/piece_sums.h"
#include "packice/transport/protocol.h"

namespace packice {

struct HttpMessage {
  absl::string_view method;
  std::string target;
  std::string body;
};

HttpMessage ToHttp(const Request& request);

// A node's answer to `asked`, which may be a failure; or why it is none.
absl::StatusOr<Reply> FromHttp(unsigned status, absl::string_view body, const Request& asked);

// The failure that an answer tells. Requires: its status is none of success (2xx).
absl::Status FailureFromHttp(unsigned status, absl::string_view body);

// The sums of a blob, as GET .../sums answers them. `corrupt`; `unsupported` for those of
// another function or piece size than core's.
absl::StatusOr<PieceSums> ReadSums(absl::string_view body);

// Sending it twice does what sending it once does, or no harm that lasts.
bool IsRepeatable(const Request& request);

}  // namespace packice
