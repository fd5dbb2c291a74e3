#include "grpc_credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  // Without a word of its own gRPC would trust public authorities.
  if (!file || content.str().empty()) {
    return MakeError(ErrorKind::kIo, absl::StrCat("cannot read the PEM file ", path));
  }
  return content.str();
}

absl::StatusOr<grpc::SslServerCredentialsOptions::PemKeyCertPair> ReadPair(const GrpcTls& tls) {
  const absl::StatusOr<std::string> key = ReadPem(tls.key);
  const absl::StatusOr<std::string> certificate = ReadPem(tls.certificate);
  if (!key.ok()) return key.status();
  if (!certificate.ok()) return certificate.status();
  return grpc::SslServerCredentialsOptions::PemKeyCertPair{*key, *certificate};
}

bool IsLoopback(absl::string_view host) {
  in_addr address;
  if (inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) {
    return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  return host == "localhost" || host == "[::1]";
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const GrpcTls& tls) {
  if (tls.empty()) return grpc::InsecureServerCredentials();
  if (tls.certificate.empty() || tls.key.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "a server with TLS needs a certificate and its key");
  }
  const auto pair = ReadPair(tls);
  const absl::StatusOr<std::string> authority = ReadPem(tls.authority);
  if (!pair.ok()) return pair.status();
  if (!authority.ok()) return authority.status();
  grpc::SslServerCredentialsOptions options(
      tls.authority.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = *authority;
  options.pem_key_cert_pairs.push_back(*pair);
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsOf(const GrpcTls& tls) {
  if (tls.empty()) return grpc::InsecureChannelCredentials();
  const auto pair = ReadPair(tls);
  const absl::StatusOr<std::string> authority = ReadPem(tls.authority);
  if (!pair.ok()) return pair.status();
  if (!authority.ok()) return authority.status();
  return grpc::SslCredentials({*authority, pair->private_key, pair->cert_chain});
}

absl::Status CheckListen(const std::string& listen, bool insecure, absl::string_view token,
                         const GrpcTls& tls) {
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("cannot listen on \"", listen, "\": give host:port"));
  }
  const bool open = token.empty() && tls.authority.empty();
  if (open && !insecure && !IsLoopback(absl::string_view(listen).substr(0, colon))) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("cannot listen on ", listen,
                                  ", beyond loopback, for everybody: give a token, or TLS with an "
                                  "authority, or say insecure"));
  }
  return absl::OkStatus();
}

std::string TokenValue(absl::string_view token) { return absl::StrCat("Bearer ", token); }

bool TokenMatches(absl::string_view sent, absl::string_view token) {
  const std::string wanted = TokenValue(token);
  return sent.size() == wanted.size() &&
         CRYPTO_memcmp(sent.data(), wanted.data(), wanted.size()) == 0;
}

}  // namespace packice
