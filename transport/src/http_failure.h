// A failure as HTTP answers it: the error of the protocol, and the status code where that is not
// the one of the error's kind. A value.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "packice/core/error.h"

namespace packice {

struct HttpFailure {
  absl::Status error;
  int status = 0;
  std::string headers;  // further ones, each with its line end

  // NOLINTNEXTLINE: a failure of the peer is answered with its kind's status.
  HttpFailure(absl::Status failure)
      : error(std::move(failure)), status(InfoOf(KindOf(error)).http_status) {}
  HttpFailure(int code, ErrorKind kind, absl::string_view message, std::string more = "")
      : error(MakeError(kind, message)), status(code), headers(std::move(more)) {}
};

}  // namespace packice
