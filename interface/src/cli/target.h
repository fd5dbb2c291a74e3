// Which node a command talks to, and how.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace packice::cli {

struct Target {
  std::string address;
  // HTTP: a file with the node's token, and one with the certificates to trust. Empty: the token of
  // PACKICE_TOKEN, if any, and the system's certificates.
  std::string token_file;
  std::string ca_file;
  absl::Duration spin = absl::ZeroDuration();  // ConnectOptions::spin
};

// Which tracker a command talks to, or is.
struct TrackerAccess {
  std::string address;
  std::string token_file;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
};

}  // namespace packice::cli
