// Serves a Peer over a Unix socket, with descriptors passed by SCM_RIGHTS.
//
// Owns its threads, its socket file and nothing else; the peer outlives it. A connection belongs to
// one of a few worker threads; each has a session of its own, whose leases end with it. Only
// processes of this process's uid (and root) are served. The destructor stops at once; Drain stops
// politely. Sessions whose clients may then still look at the peer's shared memory do not end, for
// as long as the peer is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/event_ring.h"
#include "packice/core/identity.h"
#include "packice/core/peer.h"
#include "packice/transport/node_extension.h"
#include "packice/transport/node_metrics.h"
#include "packice/transport/protocol.h"
#include "packice/transport/shared_reads.h"

namespace packice {

struct UdsServerOptions {
  std::string path = "/tmp/packice.sock";
  // Shared with the node's other transports. Null: the server has its own.
  std::shared_ptr<NodeMetrics> metrics;
  // What the events operation tells. Null: it is `unsupported`.
  std::shared_ptr<EventRing> events;
  // Operations beyond the peer's; outlives the server. Null: there are none.
  NodeExtension* extension = nullptr;
  // What lets clients read without messages; outlives the server. Null: they cannot.
  SharedReads* reads = nullptr;
  size_t threads = 2;
  // How long a thread that has served a request keeps a core busy looking for the next one, before
  // it sleeps. A sleeping thread is late by what it takes the system to wake a core; one that
  // polls takes all that nobody else wants of its core.
  absl::Duration busy_poll = absl::ZeroDuration();
  // Further connections get `capacity` and are closed.
  size_t max_connections = 8192;
  // A connection whose client does not read its answers is closed after this long; it is not read
  // from meanwhile. One that was handed shared memory is no longer served, and stays, and counts
  // among `max_connections`, until its client closes it.
  absl::Duration send_timeout = absl::Seconds(30);
  // What hello answers.
  std::string version;
  // Told of what an operator should know, one line each: a stale socket replaced, descriptors
  // exhausted, a foreign uid refused. Called from any thread, at most once a second for each kind.
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class UdsServer {
 public:
  // Listens when it returns. `busy` when a live server has the socket, `permission_denied`, `io`. A
  // socket file that nobody listens on any more is replaced.
  static absl::StatusOr<std::unique_ptr<UdsServer>> Start(Peer& peer, UdsServerOptions options);
  ~UdsServer();

  const std::string& path() const;

  // Takes no more connections, answers what has been asked, ends waits with `unavailable`, then
  // closes. Blocks until all is closed, but for connections whose clients may still look at shared
  // memory, at most `grace`.
  void Drain(absl::Duration grace);

  // Whose session it is, for messages: "pid 4711", or "connection 12" where no Unix socket of this
  // process has it now. Thread-safe; for LocalPeerOptions::describe_session.
  static std::string Describe(SessionId session);

  // What the stats operation answers, over any transport.
  StatsReply Stats(const PeerStats& peer) const;

 private:
  class Impl;
  explicit UdsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
