// The decisions of piece transfer: which pieces to ask from whom, whom to serve next, when to give
// up on a holder. One for each node.
//
// Pure: no threads, clocks, sockets or memory of objects. What it needs of the world it is given as
// the interfaces below, and what happens in the world it is told, so that it runs unchanged in a
// node and in the simulator. Thread-compatible: all calls, those of the interfaces' callbacks
// among them, come from one thread. The engine may call an interface from within any call to
// itself; no interface calls back into the engine before returning.
#pragma once

#include <cstdint>
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
#include "packice/core/identity.h"
#include "packice/core/object_id.h"
#include "packice/core/peer.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/frame.h"
#include "packice/p2p/manifest.h"
#include "packice/p2p/piece_store.h"

namespace packice {

enum class LinkId : uint64_t {};

// Links to other nodes.
class TransferNetwork {
 public:
  virtual ~TransferNetwork() = default;

  // Begins a link. OnLinkUp or OnLinkDown follows.
  virtual LinkId Dial(const std::string& address) = 0;
  // Between OnLinkUp or OnAccepted and the link's end; otherwise it goes nowhere. Frames come in
  // order on each link. Pieces give way to frames, but not to those that end a channel. Nothing is
  // heard of a link after HangUp.
  virtual void Send(LinkId link, Frame frame) = 0;
  virtual void HangUp(LinkId link) = 0;

  // Sends a piece of what `store` holds; OnPieceSent follows when its last byte has left this
  // process. The engine keeps few under way: bytes that wait in a socket cannot be called back.
  virtual void SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                         std::shared_ptr<PieceStore> store) = 0;
  // Pieces that arrive on this channel go into `store`, if it wants them (PieceStore::Receive);
  // OnPiece follows for each, verified or not. Pieces that came before, unasked behind OPENED, best
  // wait for this; where they are thrown away (kUnwanted), they are asked for.
  virtual void ReceiveInto(LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store) = 0;

  // When bytes last came on it, of pieces too.
  virtual Instant Heard(LinkId link) const = 0;
};

// What a network tells: TransferEngine, but for tests of networks. All calls come on one thread,
// none of them from within a call to the network.
class TransferEvents {
 public:
  enum class PieceResult { kVerified, kUnwanted, kCorrupt };

  virtual ~TransferEvents() = default;

  virtual void OnLinkUp(LinkId link) = 0;
  virtual void OnAccepted(LinkId link, const std::string& peer) = 0;
  virtual void OnLinkDown(LinkId link, const absl::Status& why) = 0;
  virtual void OnFrame(LinkId link, const Frame& frame) = 0;
  virtual void OnPiece(LinkId link, uint32_t channel, uint32_t piece, PieceResult result) = 0;
  virtual void OnPieceSent(LinkId link, uint32_t channel, uint32_t piece) = 0;
  // The first of a piece has come, OnPiece will follow: whoever else was asked for it need not send
  // it. A network that does not tell this costs nothing but bytes that come twice.
  virtual void OnPieceBegins(LinkId, uint32_t /*channel*/, uint32_t /*piece*/) {}

  // Does what is due.
  virtual void Tick() = 0;
  // When Tick is due next.
  virtual Instant NextTick() const = 0;
};

// The objects of this node. Answers come later, on the engine's thread.
class LocalObjects {
 public:
  virtual ~LocalObjects() = default;

  // To serve it: a READ lease for as long as the store is shared. `not_found`, `not_sealed`.
  virtual void Borrow(const ObjectId& object_id,
                      Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) = 0;
  // To download it: a CREATE lease and room for all of it. `already_exists`, `busy`, `capacity`.
  // What an earlier download of the same content left verified is there already
  // (PieceStore::held).
  virtual void Create(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest,
                      Done<absl::StatusOr<std::shared_ptr<PieceStore>>> done) = 0;
  // All pieces are there. The store goes on serving those who read from it.
  virtual void Seal(std::shared_ptr<PieceStore> store, Done<absl::Status> done) = 0;
  // A download ended without its object. What is verified may be kept for a while.
  virtual void Abandon(std::shared_ptr<PieceStore> store) = 0;
  // For a DISCARD of the fleet.
  virtual void Discard(const ObjectId& object_id, Done<absl::Status> done) = 0;
};

// Where objects come from that no node holds.
class Origin {
 public:
  virtual ~Origin() = default;

  // Copies the object into this node and seals it there. `not_found`, `unavailable`. The answer
  // comes later, on the engine's thread.
  virtual void Copy(const ObjectId& object_id, Done<absl::Status> done) = 0;
};

struct TransferOptions {
  std::string address;  // where other nodes dial this one; empty: it only reads
  std::string zone;

  // Holders that one download reads from at a time; all there are up to `full_mesh` of them.
  size_t full_mesh = 12;
  size_t max_sources = 12;
  size_t min_sources = 8;
  // Channels that are served at a time, of one object and in all; further ones are refused as busy.
  size_t max_readers_per_object = 12;
  size_t max_readers = 4096;
  size_t max_downloads = 256;  // further ones wait
  // Bytes that are asked for and have not come, of one holder; at least one piece in any case.
  uint64_t max_in_flight = 16 << 20;
  // Objects up to this size come with the answer to OPEN.
  uint32_t eager_bytes = 64 << 10;
  // A download that gets no piece for so long has failed, whatever its links are.
  absl::Duration no_progress = absl::Seconds(30);
  // A holder that owes pieces for so long is left for others.
  absl::Duration request_timeout = absl::Seconds(10);
  absl::Duration idle_link = absl::Seconds(60);
  // Bytes a second; nothing: no limit.
  absl::optional<uint64_t> up_limit;
  absl::optional<uint64_t> down_limit;
};

struct FetchRequest {
  ObjectId object_id;
  // When to give up: `timeout`. Cancel with the same operation ends it before.
  Instant deadline = absl::InfiniteDuration();
  OperationId operation = OperationId::kNone;
};

// One side of a transfer, for people.
struct TransferInfo {
  ObjectId object_id;
  std::string peer;        // the other node's address
  bool upload = false;     // to the peer; else from it
  uint64_t bytes = 0;      // so far
  double rate = 0;         // bytes a second, of late
  uint32_t in_flight = 0;  // pieces asked for
};
struct DownloadInfo {
  ObjectId object_id;
  uint64_t size = 0;  // 0: not known yet
  uint64_t bytes_done = 0;
  uint32_t sources = 0;
  double rate = 0;  // bytes a second, of late
  bool from_origin = false;
};
struct TransferCounters {
  uint64_t sent_bytes = 0;      // of pieces
  uint64_t received_bytes = 0;  // of pieces, verified
  uint64_t wasted_bytes = 0;    // received twice or not wanted any more
  uint64_t corrupt_pieces = 0;
  uint64_t downloads_started = 0;
  uint64_t downloads_finished = 0;
  uint64_t downloads_failed = 0;
  uint64_t origin_copies = 0;
  uint64_t opens_served = 0;
  uint64_t opens_refused = 0;
  uint64_t holders_banned = 0;
};

class TransferEngine final : public TransferEvents {
 public:
  // All outlive the engine. `origin` may be null. The directory's callbacks must come on the
  // engine's thread.
  TransferEngine(TransferOptions options, TransferNetwork& network, LocalObjects& objects,
                 Directory& directory, Origin* origin, const Clock& clock, uint64_t seed,
                 EventSink& events);
  ~TransferEngine() override;

  // Brings the object into this node; OK once it is sealed here. One download for each object,
  // however many ask. `not_found` when nobody has it, `unavailable` when that cannot be told or no
  // holder can be reached, `timeout`, `corrupt` when all that hold it send wrong bytes, errors of
  // LocalObjects.
  void Fetch(FetchRequest request, Done<absl::Status> done);
  // The download ends when nobody waits for it any more.
  void Cancel(OperationId operation);

  // The object is sealed here by other means than the engine's: what waits for it has it.
  void OnHeld(const ObjectId& object_id);

  // Takes the object away at the holder. `unavailable`, and what the holder answers.
  void DiscardAt(const std::string& holder, const ObjectId& object_id, Done<absl::Status> done);

  void OnLinkUp(LinkId link) override;
  void OnAccepted(LinkId link, const std::string& peer) override;
  void OnLinkDown(LinkId link, const absl::Status& why) override;
  void OnFrame(LinkId link, const Frame& frame) override;
  void OnPiece(LinkId link, uint32_t channel, uint32_t piece, PieceResult result) override;
  void OnPieceSent(LinkId link, uint32_t channel, uint32_t piece) override;
  void OnPieceBegins(LinkId link, uint32_t channel, uint32_t piece) override;
  void Tick() override;
  Instant NextTick() const override;

  // Serves nobody new and fails what is fetched, `unavailable`. Drained tells whether what was
  // asked has been sent.
  void ShutDown();
  bool Drained() const;

  std::vector<TransferInfo> Transfers(const absl::optional<ObjectId>& object_id) const;
  std::vector<DownloadInfo> Downloads() const;
  const TransferCounters& counters() const;
  double load() const;  // of the uplink, 0 to 1, for the directory

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
