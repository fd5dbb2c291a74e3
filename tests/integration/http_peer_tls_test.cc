// HttpPeer over TLS: whom it trusts, and that objects go both ways.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "certificate.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_peer.h"
#include "packice/transport/http_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class HttpPeerTlsTest : public testing::Test {
 protected:
  HttpPeerTlsTest() {
    MakeCertificate(directory_ / "cert", directory_ / "key");
    MakeCertificate(directory_ / "other", directory_ / "other-key");
    Start(0);
  }
  ~HttpPeerTlsTest() override { server_.reset(); }

  void Start(uint16_t port) {
    server_.reset();
    HttpServerOptions options;
    options.port = port;
    options.tls_cert = directory_ / "cert";
    options.tls_key = directory_ / "key";
    server_ = *HttpServer::Start(*node_, options);
  }
  // The certificate is for "localhost".
  HttpPeerOptions Options(const std::string& host = "localhost") {
    HttpPeerOptions options;
    options.url = absl::StrCat("https://", host, ":", server_->port());
    options.ca_file = directory_ / "cert";
    return options;
  }
  static AcquireRequest Request(Access access, absl::optional<uint64_t> size = absl::nullopt) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse("a");
    if (size) request.blob_sizes = {*size};
    return request;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<LocalPeer> node_ = MakeMemoryPeer();
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpPeerTlsTest, ObjectsGoBothWays) {
  ASSERT_OK_AND_ASSIGN(auto peer, HttpPeer::Connect(Options()));
  std::string bytes(3'000'017, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + (i >> 9));
  ASSERT_OK_AND_ASSIGN(Grant creator,
                       blocking::Acquire(*peer, Request(Access::kCreate, bytes.size())));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, bytes), IsOk());
  SealRequest seal;
  seal.lease_id = creator.lease.id;
  ASSERT_THAT(blocking::Seal(*peer, seal), IsOk());

  ASSERT_OK_AND_ASSIGN(Grant reader, blocking::Acquire(*peer, Request(Access::kRead)));
  std::string read(bytes.size(), '\0');
  EXPECT_THAT(reader.object->blobs()[0]->Read(0, absl::MakeSpan(read.data(), read.size())),
              IsOkAndHolds(bytes.size()));
  EXPECT_TRUE(read == bytes);
  ASSERT_OK_AND_ASSIGN(Mapping mapping, reader.object->blobs()[0]->Map(MapAccess::kReadOnly));
  EXPECT_TRUE(mapping.view() == bytes);
}

TEST_F(HttpPeerTlsTest, AfterTheNodeWasRestartedTheNextCallConnectsAnew) {
  ASSERT_OK_AND_ASSIGN(auto peer, HttpPeer::Connect(Options()));
  ASSERT_THAT(blocking::Stats(*peer), IsOk());
  Start(server_->port());
  EXPECT_THAT(blocking::Acquire(*peer, Request(Access::kCreate, 1)), IsOk());
}

TEST_F(HttpPeerTlsTest, ANodeThatCannotProveWhoItIsIsRefused) {
  HttpPeerOptions stranger = Options();
  stranger.ca_file = directory_ / "other";
  EXPECT_THAT(HttpPeer::Connect(stranger), HasKind(ErrorKind::kPermissionDenied));
  HttpPeerOptions unknown = Options();
  unknown.ca_file = "";  // the system's authorities have not signed it
  EXPECT_THAT(HttpPeer::Connect(unknown), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(HttpPeer::Connect(Options("127.0.0.1")), HasKind(ErrorKind::kPermissionDenied))
      << "it is for another name";
}

TEST_F(HttpPeerTlsTest, WhoAsksForItTrustsAnybody) {
  HttpPeerOptions options = Options("127.0.0.1");
  options.ca_file = "";
  options.insecure_skip_verify = true;
  EXPECT_THAT(HttpPeer::Connect(options), IsOk());
}

TEST_F(HttpPeerTlsTest, AFileThatHoldsNoCertificatesIsInvalid) {
  HttpPeerOptions options = Options();
  options.ca_file = directory_ / "none";
  EXPECT_THAT(HttpPeer::Connect(options), HasKind(ErrorKind::kInvalidArgument));
  options.ca_file = directory_ / "key";
  EXPECT_THAT(HttpPeer::Connect(options), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(HttpPeerTlsTest, APlainClientIsUnavailable) {
  HttpPeerOptions options = Options();
  options.url = absl::StrCat("http://localhost:", server_->port());
  EXPECT_THAT(HttpPeer::Connect(options), HasKind(ErrorKind::kUnavailable));
}

}  // namespace
}  // namespace packice
