// HTTP within TLS, with a certificate made for the occasion.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "certificate.h"
#include "http_test.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using testing::HasSubstr;

class HttpTls : public HttpTest {
 protected:
  HttpTls() {
    MakeCertificate(directory_ / "cert", directory_ / "key");
    StartServer({.tls_cert = directory_ / "cert", .tls_key = directory_ / "key"});
  }

  // What the server answers; empty when the handshake fails.
  std::string Ask(absl::string_view request, int max_version = TLS1_3_VERSION,
                  absl::string_view protocol = "http/1.1") {
    const Owned<SSL_CTX, SSL_CTX_free> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), max_version);
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const Owned<SSL, SSL_free> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), socket.get());
    const std::string wire =
        absl::StrCat(std::string(1, static_cast<char>(protocol.size())), protocol);
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
    if (SSL_connect(ssl.get()) != 1) return "";
    EXPECT_EQ(SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())),
              static_cast<int>(request.size()));
    std::string answer;
    char buffer[65536];
    int n;
    while ((n = SSL_read(ssl.get(), buffer, sizeof(buffer))) > 0)
      answer.append(buffer, static_cast<size_t>(n));
    // The end was told, so that nobody can have cut the answer short.
    EXPECT_EQ(SSL_get_error(ssl.get(), n), SSL_ERROR_ZERO_RETURN);
    SSL_shutdown(ssl.get());
    return answer;
  }

  TemporaryDirectory directory_;
};

TEST_F(HttpTls, PutAndGet) {
  EXPECT_THAT(server_->url(), testing::StartsWith("https://"));
  const std::string bytes = Pattern(2000000);
  const std::string put = HttpClient::Text("PUT /objects/a", bytes, "Connection: close\r\n");
  EXPECT_THAT(Ask(put), HasSubstr("201 Created"));
  const std::string get =
      Ask(HttpClient::Text("GET /version") +
              HttpClient::Text("GET /objects/a/data", "", "Connection: close\r\n"),
          TLS1_2_VERSION);
  EXPECT_TRUE(absl::EndsWith(get, "\r\n\r\n" + bytes));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(HttpTls, OldVersionsAndOtherProtocolsAreRefused) {
  const std::string request = HttpClient::Text("GET /healthz", "", "Connection: close\r\n");
  EXPECT_EQ(Ask(request, TLS1_1_VERSION), "");
  EXPECT_EQ(Ask(request, TLS1_3_VERSION, "h2"), "");
  EXPECT_THAT(Ask(request), HasSubstr("200 OK"));
}

TEST_F(HttpTls, PlainTextGetsNoAnswer) {
  HttpClient client = Connect();
  ASSERT_TRUE(client.Send(HttpClient::Text("GET /healthz")));
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(HttpTls, FilesThatDoNotFitTogether) {
  MakeCertificate(directory_ / "cert2", directory_ / "key2");
  EXPECT_THAT(
      HttpServer::Start(
          *peer_, {.port = 0, .tls_cert = directory_ / "cert", .tls_key = directory_ / "key2"}),
      HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(
      HttpServer::Start(*peer_,
                        {.port = 0, .tls_cert = directory_ / "key", .tls_key = directory_ / "key"}),
      HasKind(ErrorKind::kInvalidArgument));
}

}  // namespace
}  // namespace packice
