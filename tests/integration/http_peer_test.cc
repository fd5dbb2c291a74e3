// The HTTP transport as a Peer: HttpPeer, over an HttpServer, over a peer in memory or over files,
// obeys what every Peer obeys.
#include "packice/transport/http_peer.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "packice/backends/memory_lease_table.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/lru_policy.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
#include "path_store.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class HttpPeerUnderTest : public PeerUnderTest {
 public:
  HttpPeerUnderTest(const PeerOptions& options, bool files) {
    LocalPeerOptions local;
    local.capacity = options.capacity;
    local.background_reaper = false;
    local.clock = &clock_;
    if (files) {
      node_ = std::make_unique<LocalPeer>(std::make_unique<PathStore>(directory_.path()),
                                          std::make_unique<MemoryLeaseTable>(clock_),
                                          std::make_unique<LruPolicy>(), local);
    } else {
      node_ = MakeMemoryPeer(local);
    }
    HttpServerOptions server;
    server.port = 0;
    server.token = "secret";
    server_ = *HttpServer::Start(*node_, server);
    HttpPeerOptions client;
    client.url = server_->url();
    client.token = server.token;
    client.clock = &clock_;
    peer_ = *HttpPeer::Connect(client);
  }
  ~HttpPeerUnderTest() override {
    peer_.reset();
    server_.reset();
    node_.reset();
  }

  Peer& peer() override { return *peer_; }
  // In steps that let the client keep its leases, as it does when time passes by itself.
  void Advance(absl::Duration by) override {
    AdvanceInSteps(by, [this] { node_->RunDue(); });
  }
  void AdvanceWithoutTimers(absl::Duration by) override {
    AdvanceInSteps(by, [] {});
  }

  // Many times as long as a lease would live that is not kept.
  absl::Duration LongTime() const override { return absl::Hours(2); }

  HttpPeer& client() { return *peer_; }

 private:
  template <typename RunDue>
  void AdvanceInSteps(absl::Duration by, RunDue run_due) {
    while (by > absl::ZeroDuration()) {
      const absl::Duration step = std::min<absl::Duration>(by, HttpPeer::kKeepPeriod);
      clock_.Advance(step);
      by -= step;
      peer_->RunDue();
      run_due();
    }
  }

  TemporaryDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<LocalPeer> node_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpPeer> peer_;
};

// Bytes of a memory node are streamed.
PeerParam Http() {
  PeerParam param;
  param.name = "Http";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<HttpPeerUnderTest>(options, /*files=*/false);
  };
  param.ids_are_utf8_only = true;
  param.sees_writable_mappings = false;
  param.maps_unsealed = false;
  param.bytes_outlive_the_lease = false;
  return param;
}

// Those of a node with files, on the same host, are not.
PeerParam HttpFiles() {
  PeerParam param;
  param.name = "HttpFiles";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<HttpPeerUnderTest>(options, /*files=*/true);
  };
  param.ids_are_utf8_only = true;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Http, PeerConformance, testing::Values(Http(), HttpFiles()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Http, PeerEvictionConformance, testing::Values(Http(), HttpFiles()),
                         PeerParam::NameOf);

}  // namespace
}  // namespace packice
