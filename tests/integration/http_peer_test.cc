// The HTTP transport as a Peer: HttpPeer, over an HttpServer, over a peer in memory or on disk,
// obeys what every Peer obeys.
#include "packice/transport/http_peer.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class HttpPeerUnderTest : public PeerUnderTest {
 public:
  HttpPeerUnderTest(const PeerOptions& options, bool on_disk) {
    if (on_disk) {
      FileSystemPeerOptions file_system;
      file_system.directory = directory_ / "data";
      file_system.capacity = options.capacity;
      file_system.eviction.kind = EvictionKind::kLru;
      file_system.background_reaper = false;
      file_system.clock = &clock_;
      auto node = *FileSystemPeer::Open(file_system);
      run_due_ = [peer = node.get()] {
        peer->RunDue();
        peer->AwaitIdle();
      };
      node_ = std::move(node);
    } else {
      LocalPeerOptions local;
      local.capacity = options.capacity;
      local.eviction.kind = EvictionKind::kLru;
      local.background_reaper = false;
      local.clock = &clock_;
      auto node = MakeMemoryPeer(local);
      run_due_ = [peer = node.get()] { peer->RunDue(); };
      node_ = std::move(node);
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
  void Advance(absl::Duration by) override { AdvanceInSteps(by, run_due_); }
  void AdvanceWithoutTimers(absl::Duration by) override {
    AdvanceInSteps(by, [] {});
  }

  // Many times as long as a lease would live that is not kept.
  absl::Duration LongTime() const override { return absl::Hours(2); }

 private:
  void AdvanceInSteps(absl::Duration by, const std::function<void()>& run_due) {
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
  std::unique_ptr<Peer> node_;
  std::function<void()> run_due_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpPeer> peer_;
};

// Bytes of a memory node are streamed.
PeerParam Http() {
  PeerParam param;
  param.name = "Http";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<HttpPeerUnderTest>(options, /*on_disk=*/false);
  };
  param.ids_are_utf8_only = true;
  param.sees_writable_mappings = false;
  param.maps_unsealed = false;
  param.bytes_outlive_the_lease = false;
  return param;
}

// Those of a node on disk, on the same host, are not.
PeerParam HttpDisk() {
  PeerParam param;
  param.name = "HttpDisk";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<HttpPeerUnderTest>(options, /*on_disk=*/true);
  };
  param.ids_are_utf8_only = true;
  param.footprint_unit = 4096;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Http, PeerConformance, testing::Values(Http(), HttpDisk()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Http, PeerRelocateConformance, testing::Values(Http(), HttpDisk()),
                         PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(Http, PeerEvictionConformance, testing::Values(Http(), HttpDisk()),
                         PeerParam::NameOf);

}  // namespace
}  // namespace packice
