#include "http_wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/transport/http_peer.h"

namespace packice {
namespace {

namespace ssl = boost::asio::ssl;

absl::Status SetUp(ssl::context& context, const HttpPeerOptions& options) {
  boost::system::error_code error;
  context.set_options(
      ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
  if (options.insecure_skip_verify) {
    context.set_verify_mode(ssl::verify_none, error);
    return absl::OkStatus();
  }
  context.set_verify_mode(ssl::verify_peer, error);
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(options.ca_file, error);
  }
  if (!error) return absl::OkStatus();
  return MakeError(
      ErrorKind::kInvalidArgument,
      absl::StrCat("cannot read the certificates in ", options.ca_file, ": ", error.message()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const HttpWire>> HttpWire::Make(const HttpPeerOptions& options) {
  absl::StatusOr<HttpAddress> address = HttpAddress::Parse(options.url);
  if (!address.ok()) return address.status();
  // What a bearer token may be (RFC 6750, 2.1) is all printable.
  const bool printable = std::all_of(options.token.begin(), options.token.end(),
                                     [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "the token has a character that no header can carry");
  }
  auto wire = std::make_shared<HttpWire>();
  wire->address = *std::move(address);
  if (!options.token.empty()) wire->authorization = absl::StrCat("Bearer ", options.token);
  wire->call_timeout = options.call_timeout;
  wire->verify = !options.insecure_skip_verify;
  if (wire->address.tls) {
    wire->tls = std::make_unique<ssl::context>(ssl::context::tls_client);
    if (absl::Status status = SetUp(*wire->tls, options); !status.ok()) return status;
  }
  return wire;
}

}  // namespace packice
