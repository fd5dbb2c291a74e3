// WebPeer over web servers that know nothing of it: Python's, with and without ranges, in plain
// text and within TLS; and a node's own, whose objects are files at addresses, too.
#include "packice/transport/web_peer.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "certificate.h"
#include "child_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

std::string Pattern(size_t size, int seed = 0) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 11) + seed);
  return bytes;
}

constexpr size_t kLarge = 5'000'011;

class WebServersTest : public testing::Test {
 protected:
  // Answers the port.
  std::string Serve(const std::string& kind, const std::vector<std::string>& more = {}) {
    const char* const program = std::getenv("FILE_SERVER");
    EXPECT_NE(program, nullptr) << "FILE_SERVER names the script";
    std::vector<std::string> command = {"/usr/bin/env", "python3",
                                        program == nullptr ? "" : program, directory_.path(), kind};
    command.insert(command.end(), more.begin(), more.end());
    servers_.push_back(ChildProcess::StartProgram(command));
    return servers_.back().ReadLine();
  }
  void Write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = directory_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static absl::StatusOr<Grant> Acquire(Peer& peer, const std::string& id) {
    AcquireRequest request;
    request.object_id = *ObjectId::Parse(id);
    return blocking::Acquire(peer, request);
  }
  static absl::StatusOr<std::string> BytesOf(Peer& peer, const std::string& id) {
    const absl::StatusOr<Grant> grant = Acquire(peer, id);
    if (!grant.ok()) return grant.status();
    const absl::StatusOr<Mapping> mapping = grant->object->blobs()[0]->Map(MapAccess::kReadOnly);
    if (!mapping.ok()) return mapping.status();
    return std::string(mapping->view());
  }

  TemporaryDirectory directory_;
  std::vector<ChildProcess> servers_;
};

TEST_F(WebServersTest, PythonWithRangesServesFilesOfAnySize) {
  Write("large", Pattern(kLarge));
  Write("dir/a b%.bin", "small");
  Write("empty", "");
  ASSERT_OK_AND_ASSIGN(const auto peer,
                       WebPeer::Connect(absl::StrCat("http://127.0.0.1:", Serve("ranges"))));
  EXPECT_THAT(BytesOf(*peer, "large"), IsOkAndHolds(Pattern(kLarge)));
  EXPECT_THAT(BytesOf(*peer, "dir/a b%.bin"), IsOkAndHolds("small"));
  EXPECT_THAT(BytesOf(*peer, "empty"), IsOkAndHolds(""));
  EXPECT_THAT(BytesOf(*peer, "none").status(), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(blocking::Stat(*peer, *ObjectId::Parse("large"))->size(), kLarge);
}

TEST_F(WebServersTest, AFileThatChangesIsNeverMixedIn) {
  Write("file", Pattern(kLarge));
  ASSERT_OK_AND_ASSIGN(const auto peer,
                       WebPeer::Connect(absl::StrCat("http://127.0.0.1:", Serve("ranges"))));
  ASSERT_OK_AND_ASSIGN(const Grant grant, Acquire(*peer, "file"));
  const Blob& blob = *grant.object->blobs()[0];
  std::string half(kLarge / 2, '\0');
  EXPECT_THAT(blob.Read(0, absl::MakeSpan(&half[0], half.size())), IsOk());
  Write("file", Pattern(kLarge, 1));
  EXPECT_THAT(blob.Read(kLarge / 2, absl::MakeSpan(&half[0], half.size())).status(),
              HasKind(ErrorKind::kBusy));
  EXPECT_THAT(BytesOf(*peer, "file"), IsOkAndHolds(Pattern(kLarge, 1)));
}

TEST_F(WebServersTest, PythonWithoutRangesServesSmallFiles) {
  Write("small", Pattern(WebPeer::kMaxWholeBytes));
  Write("large", Pattern(kLarge));
  ASSERT_OK_AND_ASSIGN(const auto peer,
                       WebPeer::Connect(absl::StrCat("http://127.0.0.1:", Serve("plain"))));
  EXPECT_THAT(BytesOf(*peer, "small"), IsOkAndHolds(Pattern(WebPeer::kMaxWholeBytes)));
  EXPECT_THAT(BytesOf(*peer, "large").status(), HasKind(ErrorKind::kUnsupported));
}

TEST_F(WebServersTest, WithinTlsOnlyATrustedServerIsRead) {
  Write("large", Pattern(kLarge));
  MakeCertificate(directory_ / "cert", directory_ / "key");
  MakeCertificate(directory_ / "other", directory_ / "other-key");
  const std::string url = absl::StrCat("https://localhost:",
                                       Serve("ranges", {directory_ / "cert", directory_ / "key"}));
  WebPeerOptions options;
  options.ca_file = directory_ / "cert";
  ASSERT_OK_AND_ASSIGN(auto peer, WebPeer::Connect(url, options));
  EXPECT_THAT(BytesOf(*peer, "large"), IsOkAndHolds(Pattern(kLarge)));
  options.ca_file = directory_ / "other";
  ASSERT_OK_AND_ASSIGN(peer, WebPeer::Connect(url, options));
  EXPECT_THAT(BytesOf(*peer, "large").status(), HasKind(ErrorKind::kPermissionDenied));
}

TEST_F(WebServersTest, AServerThatIsKilledIsUnavailable) {
  Write("large", Pattern(kLarge));
  ASSERT_OK_AND_ASSIGN(const auto peer,
                       WebPeer::Connect(absl::StrCat("http://127.0.0.1:", Serve("ranges"))));
  ASSERT_OK_AND_ASSIGN(const Grant grant, Acquire(*peer, "large"));
  servers_.back().Kill();
  EXPECT_THAT(Acquire(*peer, "large").status(), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(grant.object->blobs()[0]->Map(MapAccess::kReadOnly).status(),
              HasKind(ErrorKind::kUnavailable));
}

TEST_F(WebServersTest, ANodesObjectsAreFilesAtAddresses) {
  const std::unique_ptr<LocalPeer> node = MakeMemoryPeer();
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse("models/a");
  request.blob_sizes = {kLarge};
  ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(*node, request));
  ASSERT_THAT(grant.object->blobs()[0]->Write(0, Pattern(kLarge)), IsOk());
  SealRequest seal;
  seal.lease_id = grant.lease.id;
  ASSERT_THAT(blocking::Seal(*node, seal), IsOk());

  HttpServerOptions options;
  options.port = 0;
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Start(*node, options));
  ASSERT_OK_AND_ASSIGN(const auto peer, WebPeer::Connect(absl::StrCat(
                                            "http://127.0.0.1:", server->port(), "/objects")));
  EXPECT_THAT(BytesOf(*peer, "models/a/data"), IsOkAndHolds(Pattern(kLarge)));
  EXPECT_THAT(BytesOf(*peer, "models/b/data").status(), HasKind(ErrorKind::kNotFound));
}

}  // namespace
}  // namespace packice
