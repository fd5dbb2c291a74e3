// The fixture of tests that speak HTTP with a server in this process: a memory peer, and a watcher
// who makes sure that nothing is left of what clients did.
#pragma once

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http_client.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"

namespace packice {

class HttpTest : public testing::Test {
 protected:
  void StartServer(HttpServerOptions options = {}) {
    options.port = 0;
    ASSERT_OK_AND_ASSIGN(server_, HttpServer::Start(*peer_, std::move(options)));
  }

  HttpClient Connect() { return HttpClient(server_->port()); }

  PeerStats Stats() { return *blocking::Stats(*peer_); }

  // Nothing is leased, created or transferred any more. For what the server has to notice first.
  testing::AssertionResult NothingIsLeft() {
    PeerStats stats;
    const bool clean = Eventually([&] {
      stats = Stats();
      return stats.read_leases + stats.create_leases + stats.write_leases + stats.creating +
                 stats.waiting ==
             0;
    });
    if (clean) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << stats.read_leases << "/" << stats.create_leases << "/" << stats.write_leases
           << " leases, " << stats.creating << " being created, " << stats.waiting << " waiting";
  }

  // `size` bytes, no two stretches alike.
  static std::string Pattern(size_t size) {
    std::string bytes(size, '\0');
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size; ++i) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      bytes[i] = static_cast<char>(state);
    }
    return bytes;
  }

  std::unique_ptr<LocalPeer> peer_ = MakeMemoryPeer();
  std::unique_ptr<HttpServer> server_;
};

}  // namespace packice
