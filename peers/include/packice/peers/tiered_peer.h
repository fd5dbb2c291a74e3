// A hot peer over a cold one, as one Peer: as fast as the hot one, as large as the cold one. Both
// are any peers, remote ones and tiered ones included.
//
// Owns both, and is the only user of the hot one; the cold one may have others. Thread-safe.
//
// How an object moves. It is created in hot. Until cold has it, this peer holds a READ lease on it
// there, so that hot's eviction cannot take it: it is *dirty*. A demotion copies it to cold, in the
// background, and lets go of that lease once cold has answered Seal: now it is *clean*, and hot
// evicts it whenever it needs the room. A read that hot misses is served from cold; a promotion
// copies what is read again back to hot, where it is clean from the start. Nothing else moves
// objects, so the rules of leases alone keep bytes from being lost: a lease from either tier keeps
// the bytes that it was granted, whatever moves meanwhile.
//
// What a crash leaves: what cold has, and what hot keeps if it is durable (Open takes it up again
// as dirty). With kThrough that is all that was acknowledged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"
#include "packice/peers/executor.h"

namespace packice {

// When a Seal is answered.
enum class WritePolicy {
  kBack,     // when hot has sealed
  kThrough,  // when cold has, too
};

struct TieredPeerOptions {
  WritePolicy write_policy = WritePolicy::kBack;
  // What is dirty for longer is demoted, also without pressure.
  absl::Duration flush_after = absl::Seconds(30);
  // Of hot's capacity: with more dirty bytes than `high_water` demotion begins, and goes on until
  // there are fewer than `low_water`. 0 <= low <= high <= 1. Without a capacity: never for
  // pressure.
  double high_water = 0.5;
  double low_water = 0.3;
  // Objects that are copied at a time, in either direction.
  size_t moves = 4;
  // How long a create may wait for demotion when hot is full of dirty objects.
  absl::Duration create_patience = absl::Seconds(30);

  // An object is promoted at its `promote_hits`th read from cold within `promote_window`; 0: never.
  // Not one of more than `promote_max` bytes; by default a quarter of hot's capacity.
  uint32_t promote_hits = 2;
  absl::Duration promote_window = absl::Seconds(60);
  absl::optional<uint64_t> promote_max;

  // Cold counts as slow when a move takes longer.
  absl::Duration slow_after = absl::Seconds(10);
  // Between tries of a cold tier that fails: from the first to the last of these, doubling, each
  // with a random part of up to a half.
  absl::Duration first_retry = absl::Milliseconds(100);
  absl::Duration last_retry = absl::Seconds(30);

  // Remembers what was discarded while cold was out of reach, so that it stays discarded when this
  // process is started anew (packice/backends/discard_log.h). Empty: remembered by this process
  // only.
  std::string discard_log;

  // A thread of the peer's own runs what time makes due. Off: the owner calls RunDue, as tests do.
  bool background = true;
  // Runs the moves, which block. Null: threads of the peer's own, `moves` of them.
  std::unique_ptr<Executor> executor;

  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  // Told of moves and of the state of tiers. What objects do within a tier its own peer tells; a
  // TierEvents sink (tier_events.h) marks that with the tier's name.
  EventSink* events = &EventSink::Null();
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class TieredPeer final : public Peer {
 public:
  // Takes up what hot has already. Blocks for both peers. `invalid_argument` for options that
  // cannot be; errors of the discard log.
  static absl::StatusOr<std::unique_ptr<TieredPeer>> Open(std::unique_ptr<Peer> hot,
                                                          std::unique_ptr<Peer> cold,
                                                          TieredPeerOptions options);
  // Ends moves that are under way, without their objects; what is dirty and not durable in hot is
  // lost: Flush comes first.
  ~TieredPeer() override;

  // Demotes all that is dirty, for a shutdown in good order. Blocks, at most `patience`. `timeout`
  // and cold's errors, with how many objects and bytes cold does not have.
  absl::Status Flush(absl::Duration patience);

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  // Demotes the object first if it is dirty.
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

  // Begins what is due. Answers when the next thing is.
  Instant RunDue();
  // Blocks until no move is under way or could begin. For tests.
  void AwaitIdle();

 private:
  class Engine;
  explicit TieredPeer(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace packice
