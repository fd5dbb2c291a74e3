// TLS and tokens of gRPC servers and clients, as options say them. Thread-safe functions.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/p2p/tracker_server.h"

namespace packice {

// Plain text where `tls` is empty. `invalid_argument`; `io` for files that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const GrpcTls& tls);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsOf(const GrpcTls& tls);

// `invalid_argument` for an address without a port, and for one beyond loopback where nobody would
// be asked who he is.
absl::Status CheckListen(const std::string& listen, bool insecure, absl::string_view token,
                         const GrpcTls& tls);

// The metadata that carries a token, and whether what a client sent is that of `token`, in time
// that does not tell where they differ.
inline constexpr char kTokenKey[] = "authorization";
std::string TokenValue(absl::string_view token);
bool TokenMatches(absl::string_view sent, absl::string_view token);

}  // namespace packice
