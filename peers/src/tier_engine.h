// TieredPeer's inside. See tiered_peer.h for the contract.
//
// Both tiers are asked without a lock held, and may answer on any thread. What must not overlap for
// one object goes through TierAffairs. Locks are leaves: none is held while another is taken, but
// that mutex_ may be held over those of the parts.
//
// What blocks (copies, the discard log) runs on the executor; all else on the callers' threads, or
// those on which a tier answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "dirty_objects.h"
#include "packice/backends/discard_log.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "packice/peers/tiered_peer.h"
#include "read_history.h"
#include "reaper.h"
#include "tier_affairs.h"
#include "tier_health.h"
#include "tier_routes.h"

namespace packice {

class TieredPeer::Engine {
 public:
  Engine(std::unique_ptr<Peer> hot, std::unique_ptr<Peer> cold, TieredPeerOptions options,
         std::unique_ptr<Executor> executor, std::unique_ptr<DiscardLog> discards);
  ~Engine();

  // tier_upkeep.cc
  absl::Status Start();
  absl::Status Flush(absl::Duration patience);
  Instant RunDue();
  void AwaitIdle();
  // tier_read.cc, tier_create.cc, tier_change.cc
  void Acquire(AcquireRequest&& request, Done<absl::StatusOr<Grant>>&& done);
  // tier_create.cc
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done);
  // tier_change.cc
  void Discard(LeaseRequest request, Done<absl::Status> done);
  void Relocate(RelocateRequest request, Done<absl::Status> done);
  // tier_leases.cc
  void Cancel(OperationId operation);
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done);
  void Release(LeaseRequest request, Done<absl::Status> done);
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done);
  void EndSession(SessionId session);
  // tier_inspection.cc
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done);
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done);
  void Stats(Done<absl::StatusOr<PeerStats>> done);

 private:
  // A create that waits for room in hot.
  struct RoomWaiter {
    AcquireRequest request;
    Done<absl::StatusOr<Grant>> done;
    uint64_t gains;  // of cold, when it was asked for the id
    bool unknown;    // it could not be asked
    Instant deadline;
  };

  // What a READ acquire asks for: less to keep than the request, in case hot misses.
  struct ReadQuestion {
    void Take(const AcquireRequest& request);
    AcquireRequest ToRequest(absl::Duration with_wait) const;

    ObjectId id;
    absl::optional<absl::Duration> ttl;
    absl::Duration wait;
    SessionId session = SessionId::kNone;
    OperationId operation = OperationId::kNone;
    bool quiet = false;
  };
  struct HotRead;

  // --- Reads.

  void Read(AcquireRequest&& request, Done<absl::StatusOr<Grant>>&& done);
  // From the beginning: something has moved meanwhile.
  void ReadAgain(ReadQuestion question, Done<absl::StatusOr<Grant>> done);
  // `request` asks the question without its wait.
  void ReadHot(AcquireRequest&& request, std::unique_ptr<HotRead> read);
  void HotMissed(ReadQuestion question, uint64_t gains, absl::StatusOr<Grant> grant,
                 Done<absl::StatusOr<Grant>> done);
  void ReadCold(ReadQuestion question, Done<absl::StatusOr<Grant>> done);
  void ColdMissed(ReadQuestion question, uint64_t gains, const absl::Status& status,
                  Done<absl::StatusOr<Grant>> done);
  void ColdGranted(ReadQuestion question, Grant grant, Done<absl::StatusOr<Grant>> done);
  // Copies the object to hot, as far as it is worth it, and then lets the client have that copy:
  // for bytes that no process on this host can reach but through this one.
  void ReadThroughHot(ReadQuestion question, Grant grant, Done<absl::StatusOr<Grant>> done);
  bool MayPromote(const Object& object) const;
  // False when it cannot begin now. One that is `needed` begins however many there are.
  bool BeginPromotion(const ObjectId& id, bool needed);

  // --- Creates and Seal.

  void Create(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  void CreateInTier(RoomWaiter creator);
  // What is larger than hot.
  void CreateInCold(RoomWaiter creator);
  void HotAnswered(RoomWaiter creator, absl::StatusOr<Grant> grant);
  void Created(RoomWaiter creator, Grant grant);
  absl::Status NoRoom(const absl::Status& hots) const;
  // Whoever waits for room tries again. Blocks.
  void RetryCreates();
  // Takes the lease that keeps a sealed object in hot. `done` hears when it is dirty, or why it
  // cannot be.
  void Adopt(const ObjectId& id, bool has_end, bool ask_cold, Done<absl::Status> done);
  void SealedInHot(const TierRoute& route, Sealed sealed, Done<absl::StatusOr<Sealed>> done);
  // Takes over to answer `done`, once cold has the object or a try to give it failed. False when
  // the object is not dirty.
  bool AwaitDemotion(const Sealed& sealed, Done<absl::StatusOr<Sealed>>& done);

  // --- Changes that somebody asked for.

  void AcquireWrite(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  void WriteCold(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  void ColdWriteGranted(AcquireRequest request, Grant grant, Done<absl::StatusOr<Grant>> done);
  void DiscardIfCurrent(LeaseRequest request, TierRoute route, Done<absl::Status> done);
  void DiscardHot(LeaseRequest request, const TierRoute& route, Done<absl::Status> done);
  void DiscardCold(LeaseRequest request, const TierRoute& route, Done<absl::Status> done);
  // Takes the object out of cold, or remembers to.
  void RemoveFromCold(const ObjectId& id, OperationId operation, Done<absl::Status> done);
  void RememberDiscard(const ObjectId& id, Done<absl::Status> done);
  // Takes it out of cold now. Blocks.
  absl::Status CarryOutDiscard(const ObjectId& id);
  // Blocks.
  absl::Status RelocateNow(const RelocateRequest& request, const TierRoute& route);
  absl::Status RelocateInCold(const RelocateRequest& request);
  absl::Status RelocateFromHot(const RelocateRequest& request, const TierRoute& route);
  // Takes a copy out of hot that no longer has a right to its id, once nobody writes it.
  void PurgeFromHot(const ObjectId& id, Done<absl::Status> done);
  // Of what is dirty no more: hot may take it. `status` for those who wait for its demotion.
  void DropDirty(const ObjectId& id, const absl::Status& status);

  // --- Inspection.

  ListPage MergePages(const ListRequest& request, ListPage hot, ListPage cold);
  // Without this peer's own leases.
  ObjectInfo OwnView(ObjectInfo hot) const;
  PeerStats MergeStats(const PeerStats& hot, const PeerStats& cold) const;

  // --- Moves.

  // Begins the demotions that should be under way.
  void Pump();
  // The next object to demote, taken, with its affair begun; null when there is none for now.
  DirtyObject* NextDemotion(bool flush) ABSL_LOCKS_EXCLUDED(mutex_);
  bool WantsDemotion(const DirtyObject& object, Instant now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // One that was taken; ends its affair. Blocks.
  void Demote(DirtyObject& object);
  absl::Status CopyToCold(DirtyObject& object, OperationId operation);
  absl::Status CompareWithCold(DirtyObject& object);
  void Demoted(DirtyObject& object, OperationId operation, const absl::Status& status);
  // Blocks.
  void Promote(const ObjectId& id);
  absl::Status CopyToHot(const ObjectId& id, OperationId operation, uint64_t& bytes);
  absl::Status CopyBlobs(const Object& from, Object& to);
  // Puts an object aside that something of its own keeps from moving.
  void Rest(DirtyObject& object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginMove(const ObjectId& id);
  void EndMove(const ObjectId& id);
  // Also puts back what was put aside meanwhile.
  void EndAffair(const ObjectId& id);
  bool GoesOn(const ObjectId& id) const;

  // --- The rest.

  // Does what has become possible, and sees to it that the next thing happens in time.
  void Attend();
  Instant NextDue() const;
  void Probe();
  // A call to cold, of a session for it alone, went like this. When the answer may have been lost,
  // cold may hold a lease that nobody knows of: the session is ended when cold is back.
  void MindSession(SessionId session, const absl::Status& status);
  void RetryDiscards();
  void CheckPace();
  // Lets go of dirty objects whose own life is over.
  void DropExpired();
  void OnHealth(TierState before, const TierHealth::View& after);
  void Publish(EventKind kind, OperationId operation, const ObjectId& id, uint64_t size,
               absl::string_view tier, absl::string_view detail = {}) const;
  absl::Status ColdIsDown(absl::string_view what) const;

  const TieredPeerOptions options_;
  Clock& clock_;
  EventSink& events_;
  const SessionId session_;  // of this peer's own leases
  // Bytes. Set by Start.
  absl::optional<uint64_t> hot_capacity_;
  uint64_t high_water_ = 0;
  uint64_t low_water_ = 0;
  uint64_t promote_max_ = 0;
  const std::unique_ptr<DiscardLog> discards_;
  TierHealth health_;
  TierAffairs affairs_;
  TierRoutes routes_;
  ReadHistory history_;

  mutable Mutex mutex_;
  CondVar changed_;  // dirty_ or moves_
  DirtyObjects dirty_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, Instant> moves_ ABSL_GUARDED_BY(mutex_);  // when each began
  size_t demoting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t promoting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::multimap<Instant, ObjectId> resting_ ABSL_GUARDED_BY(mutex_);
  std::vector<SessionId> lost_sessions_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;  // from high water to low water
  size_t flushing_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<RoomWaiter> room_waiters_ ABSL_GUARDED_BY(mutex_);
  bool retrying_creates_ ABSL_GUARDED_BY(mutex_) = false;
  bool retry_again_ ABSL_GUARDED_BY(mutex_) = false;
  bool retrying_discards_ ABSL_GUARDED_BY(mutex_) = false;
  Instant next_discard_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  bool slow_ ABSL_GUARDED_BY(mutex_) = false;
  Instant routes_checked_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();

  std::atomic<bool> stopping_{false};
  // How often an object has come to be in a tier by this peer's doing: an answer of that tier from
  // before may be out of date.
  std::atomic<uint64_t> cold_gains_{0};
  std::atomic<uint64_t> hot_gains_{0};

  std::atomic<uint64_t> cold_hits_{0};
  std::atomic<uint64_t> cold_hit_bytes_{0};
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> demotions_{0};
  std::atomic<uint64_t> demoted_bytes_{0};
  std::atomic<uint64_t> promotions_{0};
  std::atomic<uint64_t> promoted_bytes_{0};

  // Their threads, and those on which they answer, use all of the above: ended in this order.
  const std::unique_ptr<Peer> cold_;
  const std::unique_ptr<Peer> hot_;
  const std::unique_ptr<Executor> executor_;
  std::unique_ptr<Reaper> reaper_;
};

}  // namespace packice
