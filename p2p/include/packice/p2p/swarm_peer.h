// A node of a swarm: a peer over a local peer and a directory. What this node has is served from
// it; what it has not is copied from the nodes that hold it, piece by piece, checked, sealed here
// and then served; what it has, others may copy.
//
// Owns its directory, its threads and its listener; the local peer is its own, too. Thread-safe.
//
// Reads: a miss that somebody holds is answered when the object is here. Without `wait` an Acquire
// lasts as long as the download makes progress; with it, at most that long, and it also waits for
// objects that nobody has yet. Everything but reads goes to the local peer alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"
#include "packice/p2p/change_feed.h"
#include "packice/p2p/content_digest.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

// How a piece goes from memory to the socket.
enum class SendPath { kWrite, kSendfile };

// Mutual TLS between nodes: PEM files, all or none.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string authority;  // who signed the certificates of the fleet
};

struct SwarmOptions {
  // Where this node gives pieces: an address and a port; port 0 takes a free one.
  std::string listen = "127.0.0.1:0";
  // What others dial; empty: where it listens.
  std::string advertise;
  std::string cluster = "packice";  // nodes of other clusters are refused
  std::string token;                // empty: nobody is asked
  TlsFiles tls;
  HashKind digest = HashKind::kXxh3;
  SendPath send_path = SendPath::kWrite;
  size_t max_links = 20000;
  // For what a download left verified when it was cut off.
  absl::Duration keep_partial = absl::Minutes(10);
  TransferOptions transfer;  // its address is filled in

  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  EventSink* events = &EventSink::Null();
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class SwarmPeer final : public Peer {
 public:
  // Called with the address that others dial once the node listens, because directories tell it to
  // others.
  using MakeDirectory =
      std::function<absl::StatusOr<std::unique_ptr<Directory>>(const std::string& address)>;

  // Listens when it returns. `changes` is the sink of `local` and outlives this peer. `origin` may
  // be null. `busy` when the address is taken; `invalid_argument`; errors of the directory.
  static absl::StatusOr<std::unique_ptr<SwarmPeer>> Open(std::unique_ptr<Peer> local,
                                                         ChangeFeed& changes,
                                                         const MakeDirectory& directory,
                                                         std::unique_ptr<Peer> origin,
                                                         SwarmOptions options);
  ~SwarmPeer() override;

  const std::string& address() const;  // that others dial
  Peer& local();

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

  // Beyond Peer, for the node's operators.
  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done);
  // Ids of the whole fleet, as Directory::List.
  void ListEverywhere(const std::string& prefix, const std::string& after, size_t limit,
                      Done<absl::StatusOr<std::vector<ObjectId>>> done);
  // Brings an object here without a lease, as TransferEngine::Fetch. Cancel ends it.
  void Prefetch(FetchRequest request, Done<absl::Status> done);
  struct Removal {
    std::string holder;  // empty: this node
    absl::Status result;
  };
  // Discards the object here and at every holder that the directory knows. Answers with what each
  // said.
  void DiscardEverywhere(const ObjectId& object_id,
                         Done<absl::StatusOr<std::vector<Removal>>> done);
  void Transfers(const absl::optional<ObjectId>& object_id,
                 Done<absl::StatusOr<std::vector<TransferInfo>>> done);
  void Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done);
  TransferCounters counters() const;
  size_t links() const;  // open now
  // Of the uplink, 0 to 1, as it was when this was last asked; never blocks. For directories.
  double load() const;

  // Looks at the clock again. For tests that move it.
  void RunDue();

  // Serves nobody new and finishes what was asked; then withdraws. Blocks, at most `grace`.
  void Drain(absl::Duration grace);

 private:
  class Impl;
  explicit SwarmPeer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
