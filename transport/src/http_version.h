// Which state of a file an HTTP server has answered with (RFC 9110, 8.8), so that a file that
// changes is never read as one. A value.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "http_line.h"

namespace packice {

struct HttpVersion {
  uint64_t size = 0;  // bytes
  std::string etag;
  std::string last_modified;

  // False where nothing would tell a changed file of the same size. A date tells by the second.
  bool telling() const;

  // The headers by which a server refuses to answer with another state: with 412, or with 200 and
  // all of the file.
  std::string Conditions() const;

  // Of the answer to such a request, whatever the server has made of the conditions. `busy` when
  // the file has changed; `corrupt` when the server contradicts itself; errors of FailureOfFile.
  absl::Status Check(const HttpAnswer& answer, const std::string& target) const;
};

// What an answer of a server that knows nothing of Packice means. Requires: it is no success (2xx).
absl::Status FailureOfFile(const HttpAnswer& answer, const std::string& target);

// The size in "bytes 0-99/1000"; nothing where there is none.
absl::optional<uint64_t> TotalOf(absl::string_view content_range);

}  // namespace packice
