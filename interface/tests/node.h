// A node for tests of the SDK, in memory or in files, reached in each way there is.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
#include "packice/transport/uds_server.h"
#include "temp_dir.h"

namespace packice {

enum class Way {
  kDirect,
  kNamed,
  kSocket,
  kFiles,  // over a socket, as kSocket
  kHttp,   // memory, which HTTP streams
};

inline std::string NameOf(Way way) {
  switch (way) {
    case Way::kDirect:
      return "Direct";
    case Way::kNamed:
      return "Named";
    case Way::kSocket:
      return "Socket";
    case Way::kFiles:
      return "Files";
    case Way::kHttp:
      return "Http";
  }
  return "?";
}
inline void PrintTo(Way way, std::ostream* out) { *out << NameOf(way); }

class TestNode {
 public:
  explicit TestNode(Way way, LocalPeerOptions options = {})
      : way_(way), options_(options), peer_(MakePeer()) {
    if (way == Way::kSocket || way == Way::kFiles) StartServer();
    if (way == Way::kHttp) StartHttp();
  }

  const std::string& socket() const { return socket_; }

  // A further client of this node. A named node lives while one of them does.
  std::unique_ptr<Client> Connect(const ConnectOptions& options = {}) {
    if (way_ == Way::kDirect) return ConnectDirect(peer_, options);
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    absl::StatusOr<std::unique_ptr<Client>> client =
        packice::Connect(way_ == Way::kNamed  ? "memory://" + name
                         : way_ == Way::kHttp ? http_->url()
                                              : "unix:" + socket_,
                         options);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  // As after a crash: the connections break, and what the node kept is gone.
  void Restart() {
    server_.reset();
    peer_ = MakePeer();
    StartServer();
  }
  void Stop() { server_.reset(); }

 private:
  std::shared_ptr<Peer> MakePeer() {
    if (way_ != Way::kFiles) return MakeMemoryPeer(options_);
    FileSystemPeerOptions options;
    options.directory = files_ / "data";
    options.capacity = options_.capacity;
    absl::StatusOr<std::unique_ptr<FileSystemPeer>> peer = FileSystemPeer::Open(options);
    EXPECT_THAT(peer, IsOk());
    return *std::move(peer);
  }
  void StartHttp() {
    HttpServerOptions options;
    options.port = 0;
    options.version = "test";
    absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(*peer_, options);
    ASSERT_THAT(server, IsOk());
    http_ = *std::move(server);
  }
  void StartServer() {
    UdsServerOptions options;
    options.path = socket_;
    options.version = "test";
    absl::StatusOr<std::unique_ptr<UdsServer>> server = UdsServer::Start(*peer_, options);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  const Way way_;
  const LocalPeerOptions options_;
  TempDir dir_;
  TempDir files_{"/dev/shm"};  // where syncs cost nothing
  const std::string socket_ = dir_ / "node.sock";
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<HttpServer> http_;
};

// For INSTANTIATE_TEST_SUITE_P.
inline auto EveryWay() {
  return ::testing::Values(Way::kDirect, Way::kNamed, Way::kSocket, Way::kFiles, Way::kHttp);
}
inline std::string WayName(const ::testing::TestParamInfo<Way>& info) { return NameOf(info.param); }

}  // namespace packice
