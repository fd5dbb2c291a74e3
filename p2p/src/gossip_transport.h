// Carries envelopes between members over gRPC: a server, and a channel to each of the others that
// was of use lately.
//
// Owns its server and channels; gRPC owns the threads. Thread-safe.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/p2p/tracker_server.h"
#include "packice/proto/gossip.grpc.pb.h"

namespace packice {

struct GossipTransportOptions {
  std::string listen;
  bool insecure = false;
  std::string token;
  GrpcTls tls;
};

class GossipTransport {
 public:
  using Envelope = gossip::v1::Envelope;
  // What is answered to an envelope. Called on gRPC's threads, several at a time; does not block.
  using Handler = std::function<absl::StatusOr<Envelope>(const Envelope&)>;

  static constexpr size_t kMaxChannels = 1024;
  // A list of the longest ids at its limit is the largest message.
  static constexpr int kMaxMessageBytes = 4 << 20;

  // Listens when it returns; the handler may be called before. `invalid_argument`, `io`, `busy`.
  static absl::StatusOr<std::unique_ptr<GossipTransport>> Start(GossipTransportOptions options,
                                                                Handler handler);
  // As ShutDown.
  ~GossipTransport();

  const std::string& address() const { return address_; }  // with the port that was chosen

  // Answers on one of gRPC's threads, or at once after ShutDown. `unavailable`, `timeout`, and what
  // the other side says.
  void Call(const std::string& address, Envelope envelope, absl::Duration timeout,
            Done<absl::StatusOr<Envelope>> done);

  // Cancels all calls and waits until their callbacks have run; no handler runs after that.
  void ShutDown();

  uint64_t sent_bytes() const;
  uint64_t received_bytes() const;

 private:
  class Service;
  struct Exchange;
  using Stub = gossip::v1::Gossip::Stub;
  using Channels = std::list<std::pair<std::string, std::shared_ptr<Stub>>>;

  explicit GossipTransport(GossipTransportOptions options);
  std::shared_ptr<Stub> StubOf(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(size_t sent, size_t received);
  void End(Exchange* exchange);

  const GossipTransportOptions options_;
  std::string address_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;

  mutable Mutex mutex_;
  CondVar idle_;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Exchange*> exchanges_ ABSL_GUARDED_BY(mutex_);  // what ShutDown cancels
  Channels channels_ ABSL_GUARDED_BY(mutex_);               // used last, first
  absl::flat_hash_map<std::string, Channels::iterator> by_address_ ABSL_GUARDED_BY(mutex_);
  uint64_t sent_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t received_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
