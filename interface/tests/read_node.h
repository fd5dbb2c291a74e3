// A memory node in this process that is read without messages, and counts the messages it gets.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cli/node_reads.h"
#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/node_metrics.h"
#include "packice/transport/uds_server.h"
#include "temp_dir.h"

namespace packice {

// Whether it holds within a minute, when another thread or process brings it about.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (absl::Now() < deadline) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

class ReadNode {
 public:
  explicit ReadNode(LocalPeerOptions options = {}) : options_(options) { Start(); }

  const std::string& socket() const { return socket_; }

  std::unique_ptr<Client> Connect() {
    absl::StatusOr<std::unique_ptr<Client>> client = packice::Connect(socket_);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  // The connections break, and the index stays as it was, as after kill -9.
  void Stop() { server_.reset(); }
  // A new node at the same place.
  void Restart() {
    server_.reset();
    peer_.reset();
    Start();
  }
  // A new server of the same node: the connections break.
  void Reconnect() {
    server_.reset();
    Serve(reads_.get());
  }
  // The same, which offers no index.
  void Hide() {
    server_.reset();
    Serve(nullptr);
  }

  // From now on this client reads without messages what lies in the node's memory by now.
  static void Warm(Client& client) {
    ASSERT_THAT(client.Put("warm", "warm"), IsOk());
    ASSERT_THAT(client.GetCopy("warm"), IsOkAndHolds("warm"));
    ASSERT_THAT(client.Delete("warm"), IsOk());
  }
  // How many bytes of requests it gets of `calls`.
  template <typename Calls>
  uint64_t RequestBytes(Client& client, Calls calls) {
    EXPECT_THAT(client.Stats(), IsOk());  // takes along what is yet to be told
    const uint64_t before = received();
    calls();
    return received() - before;
  }

  // Bytes of all requests so far. What a client has yet to tell, as the end of a lease, comes with
  // its next request.
  uint64_t received() const { return Metric("packice_received_bytes_total{transport=\"uds\"}"); }
  // Of all samples whose line begins so.
  uint64_t Metric(absl::string_view begin) const {
    uint64_t sum = 0;
    const std::string text = metrics_->Text(PeerStats());
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      double value = 0;
      if (absl::ConsumePrefix(&line, begin) &&
          absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) {
        sum += static_cast<uint64_t>(value);
      }
    }
    return sum;
  }

 private:
  void Start() {
    auto reads = cli::NodeReads::Create();
    ASSERT_THAT(reads, IsOk());
    reads_ = *std::move(reads);
    LocalPeerOptions options = options_;
    options.index = &reads_->objects();
    peer_ = MakeMemoryPeer(std::move(options));
    reads_->CountAt(*peer_);
    Serve(reads_.get());
  }
  void Serve(SharedReads* reads) {
    metrics_ = std::make_shared<NodeMetrics>();
    UdsServerOptions options;
    options.path = socket_;
    options.version = "test";
    options.metrics = metrics_;
    options.reads = reads;
    absl::StatusOr<std::unique_ptr<UdsServer>> server = UdsServer::Start(*peer_, options);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  const LocalPeerOptions options_;
  TempDir dir_;
  const std::string socket_ = dir_ / "node.sock";
  std::shared_ptr<NodeMetrics> metrics_;
  std::unique_ptr<cli::NodeReads> reads_;
  std::unique_ptr<LocalPeer> peer_;
  std::unique_ptr<UdsServer> server_;
};

}  // namespace packice
