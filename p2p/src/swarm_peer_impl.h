// A SwarmPeer's parts, in the order in which they need one another.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "asio_network.h"
#include "holdings_keeper.h"
#include "manifests.h"
#include "node_objects.h"
#include "packice/p2p/swarm_peer.h"
#include "peer_origin.h"
#include "posted_directory.h"
#include "swarm_reads.h"
#include "timer_thread.h"
#include "work_threads.h"

namespace packice {

class SwarmPeer::Impl {
 public:
  Impl(std::unique_ptr<Peer> local_peer, ChangeFeed& changes, std::unique_ptr<Peer> origin_node,
       SwarmOptions swarm_options);
  ~Impl();

  absl::Status Start(const MakeDirectory& make_directory);

  // Runs `use` on the engine's thread and answers what it says.
  template <typename T>
  void Ask(std::function<T(TransferEngine&)> use, Done<absl::StatusOr<T>> done);

  // `from`: the id that the lease is of; empty where it is not known.
  void Relocate(const ObjectId& from, RelocateRequest request, bool again, Done<absl::Status> done);

  // What counts leases is asked again until none of the keeper's came between: they are nobody's
  // business. `ask` may be called several times.
  template <typename Answer>
  void AskUndisturbed(std::function<void(Done<Answer>)> ask, Done<Answer> done, int tries = 0);

  Post post();
  // Every now and then.
  void Upkeep();

  const std::unique_ptr<Peer> local;
  ChangeFeed& changes;
  const std::unique_ptr<Peer> origin_peer;
  SwarmOptions options;

  WorkThreads hashing{2};
  WorkThreads copying{2};
  TimerThread timers;
  Manifests manifests;
  AsioNetwork network;
  NodeObjects objects;
  std::unique_ptr<Directory> directory;
  std::unique_ptr<PostedDirectory> posted_directory;
  std::unique_ptr<PeerOrigin> origin;
  std::unique_ptr<TransferEngine> engine;
  std::shared_ptr<SwarmReads> reads;
  std::unique_ptr<HoldingsKeeper> keeper;
  std::string address;
  std::atomic<double> load{0};
};

}  // namespace packice
