// A node in this process that is reached in every way there is, for tests that compare the ways.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/direct_peer.h"
#include "packice/transport/http_peer.h"
#include "packice/transport/http_server.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {

enum class Way { kDirect, kUds, kHttp };
inline constexpr Way kWays[] = {Way::kDirect, Way::kUds, Way::kHttp};

inline std::string NameOf(Way way) {
  return way == Way::kDirect ? "Direct" : way == Way::kUds ? "Uds" : "Http";
}
inline void PrintTo(Way way, std::ostream* out) { *out << NameOf(way); }

// The servers in front of a peer, and clients of them.
class Front {
 public:
  Front(std::shared_ptr<Peer> peer, std::string socket, std::shared_ptr<EventRing> events = nullptr)
      : peer_(std::move(peer)) {
    UdsServerOptions uds;
    uds.path = std::move(socket);
    uds.version = "test";
    uds.events = events;
    auto uds_server = UdsServer::Start(*peer_, uds);
    EXPECT_THAT(uds_server, IsOk());
    if (uds_server.ok()) uds_ = *std::move(uds_server);
    HttpServerOptions http;
    http.port = 0;
    http.version = "test";
    http.events = std::move(events);
    auto http_server = HttpServer::Start(*peer_, http);
    EXPECT_THAT(http_server, IsOk());
    if (http_server.ok()) http_ = *std::move(http_server);
  }

  std::unique_ptr<Peer> Connect(Way way) const {
    if (way == Way::kDirect) return std::make_unique<DirectPeer>(peer_);
    if (way == Way::kUds) return Connected(UdsPeer::Connect({.path = uds_->path()}));
    HttpPeerOptions http;
    http.url = http_->url();
    http.hash = &HashPiece;
    return Connected(HttpPeer::Connect(std::move(http)));
  }

  const std::string& socket() const { return uds_->path(); }
  const std::string& url() const { return http_->url(); }
  uint16_t port() const { return http_->port(); }

 private:
  template <typename Remote>
  static std::unique_ptr<Peer> Connected(absl::StatusOr<std::unique_ptr<Remote>> peer) {
    EXPECT_THAT(peer, IsOk());
    return peer.ok() ? *std::move(peer) : nullptr;
  }

  const std::shared_ptr<Peer> peer_;
  std::unique_ptr<UdsServer> uds_;
  std::unique_ptr<HttpServer> http_;
};

enum class Medium { kMemory, kFiles };
inline std::string NameOf(Medium medium) { return medium == Medium::kMemory ? "Memory" : "Files"; }
inline void PrintTo(Medium medium, std::ostream* out) { *out << NameOf(medium); }

class ParityNode {
 public:
  explicit ParityNode(Medium medium) {
    constexpr uint64_t kCapacity = uint64_t{1} << 20;
    if (medium == Medium::kMemory) {
      LocalPeerOptions options;
      options.capacity = kCapacity;
      options.events = events_.get();
      peer_ = MakeMemoryPeer(options);
    } else {
      FileSystemPeerOptions options;
      options.directory = data();
      options.capacity = kCapacity;
      options.verify_reads = true;
      options.events = events_.get();
      auto peer = FileSystemPeer::Open(options);
      EXPECT_THAT(peer, IsOk());
      if (peer.ok()) peer_ = *std::move(peer);
    }
    front_ = std::make_unique<Front>(peer_, directory_ / "socket", events_);
  }

  Peer& peer() { return *peer_; }
  const Front& front() const { return *front_; }
  std::string data() const { return files_ / "data"; }

 private:
  TemporaryDirectory directory_;
  // In memory, where syncs cost nothing: what is compared here is not how long they take.
  TemporaryDirectory files_{"/dev/shm"};
  std::shared_ptr<EventRing> events_ = std::make_shared<EventRing>();
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<Front> front_;
};

}  // namespace packice
