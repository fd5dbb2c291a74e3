// How an HTTP node is reached: its address, the token, the certificates. Made once, shared by all
// connections to the node; immutable.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http_address.h"

namespace packice {

struct HttpPeerOptions;

struct HttpWire {
  // `invalid_argument` for a URL that is none, a token that no header can carry, or certificates
  // that cannot be read.
  static absl::StatusOr<std::shared_ptr<const HttpWire>> Make(const HttpPeerOptions& options);

  HttpAddress address;
  std::string authorization;  // the header's value; empty: none
  absl::Duration call_timeout;
  // Null: plain TCP. OpenSSL takes no const context; it is not changed after Make.
  std::unique_ptr<boost::asio::ssl::context> tls;
  bool verify = true;
};

}  // namespace packice
