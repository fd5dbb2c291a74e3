// A memory node for tests of the SDK, reached in each way there is.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_server.h"
#include "temp_dir.h"

namespace packice {

enum class Way { kDirect, kNamed, kSocket };

inline std::string NameOf(Way way) {
  switch (way) {
    case Way::kDirect:
      return "Direct";
    case Way::kNamed:
      return "Named";
    case Way::kSocket:
      return "Socket";
  }
  return "?";
}
inline void PrintTo(Way way, std::ostream* out) { *out << NameOf(way); }

class TestNode {
 public:
  explicit TestNode(Way way, LocalPeerOptions options = {})
      : way_(way), peer_(MakeMemoryPeer(options)) {
    if (way == Way::kSocket) StartServer();
  }

  const std::string& socket() const { return socket_; }

  // A further client of this node. A named node lives while one of them does.
  std::unique_ptr<Client> Connect(const ConnectOptions& options = {}) {
    if (way_ == Way::kDirect) return ConnectDirect(peer_, options);
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    absl::StatusOr<std::unique_ptr<Client>> client =
        packice::Connect(way_ == Way::kNamed ? "memory://" + name : "unix:" + socket_, options);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  // As after a crash: the connections break, and what the node kept is gone.
  void Restart() {
    server_.reset();
    peer_ = MakeMemoryPeer();
    StartServer();
  }
  void Stop() { server_.reset(); }

 private:
  void StartServer() {
    UdsServerOptions options;
    options.path = socket_;
    options.version = "test";
    absl::StatusOr<std::unique_ptr<UdsServer>> server = UdsServer::Start(*peer_, options);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  const Way way_;
  TempDir dir_;
  const std::string socket_ = dir_ / "node.sock";
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<UdsServer> server_;
};

// For INSTANTIATE_TEST_SUITE_P.
inline auto EveryWay() { return ::testing::Values(Way::kDirect, Way::kNamed, Way::kSocket); }
inline std::string WayName(const ::testing::TestParamInfo<Way>& info) { return NameOf(info.param); }

}  // namespace packice
