// The one engine for the rules of leases, over any medium (a BlobStore), any record of leases (a
// LeaseTable) and, for objects that outlast the process, an Archive.
//
// Owns everything it is given but the clock, the randomness and the sink. Thread-safe: objects are
// kept in stripes with a lock each, so that operations on different objects do not wait for one
// another; no lock is held over a medium's system calls, a commit or a caller's callback.
//
// With an Executor, what may block on the medium runs there, and answers from there: Acquire of a
// CREATE lease, Seal, Discard, Relocate, the look at an object's bytes before it is first granted,
// eviction, expiry, and the end of bytes. Everything else is answered on the caller's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/lease_table.h"
#include "packice/core/object_index.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"
#include "packice/peers/archive.h"
#include "packice/peers/eviction_policy.h"
#include "packice/peers/eviction_spec.h"
#include "packice/peers/executor.h"

namespace packice {

struct LocalPeerOptions {
  // Bytes of all objects: what they take up of the medium. Creates evict to stay within it.
  // Nothing: no limit but the medium's own.
  absl::optional<uint64_t> capacity;
  // Which objects go first.
  EvictionSpec eviction;
  // A thread of the peer's own runs what time makes due. Off: the owner calls RunDue, as tests do.
  bool background_reaper = true;
  // With an archive: every piece's checksum is compared each time an object comes to be leased.
  // Otherwise only the presence and length of its bytes, once after each start.
  bool verify_reads = false;

  // Without an archive: of the objects that nobody uses, so many or up to twice that stay open,
  // about half a kilobyte each: such as were used again soon after they were closed. To open one
  // anew is half of what a hit in memory costs, and nothing beside a message.
  size_t open_at_rest = 4096;

  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  EventSink* events = &EventSink::Null();
  // Told of objects in memory as they are sealed and go; for a peer without an archive.
  ObjectIndex* index = &ObjectIndex::Null();
  // What nobody asked for and somebody should know: a removal that failed, a damaged object. A line
  // each, on any thread.
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
  // Whose session it is, for messages: "pid 4711". Null: "connection 12". Called without a lock, on
  // any thread.
  std::function<std::string(SessionId)> describe_session;
};

class LocalPeer final : public Peer {
 public:
  // With a null `policy` the options' `eviction` says which. Without an `archive` objects end with
  // the peer; without an `executor` everything runs on the callers' threads.
  LocalPeer(std::unique_ptr<BlobStore> store, std::unique_ptr<LeaseTable> leases,
            std::unique_ptr<EvictionPolicy> policy, LocalPeerOptions options,
            std::unique_ptr<Archive> archive = nullptr,
            std::unique_ptr<Executor> executor = nullptr);
  // Waits for what is under way on the executor.
  ~LocalPeer() override;

  // Takes over what the archive holds; blocks while it is read. To be called once, before anything
  // else. The policy hears of the objects in the order in which they were sealed: the order of
  // their use is not kept over a restart. What is above the capacity is evicted, on the executor.
  absl::Status Recover();

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

  // Somebody has read objects by the index: `objects` are some of those, for the eviction policy,
  // `reads` and `bytes` all of it, for the statistics. An id that is not there is no error.
  void CountReads(absl::Span<const ObjectId> objects, uint64_t reads, uint64_t bytes);

  // Ends the leases, waits and objects whose time is over. Answers when the next one is.
  Instant RunDue();

  // Checks archived objects of these serials that nobody has leased, and sets the damaged ones
  // aside. Blocks for the medium.
  void CheckObjects(const absl::flat_hash_set<uint64_t>& serials);

  // Blocks until nothing is under way on the executor. For tests.
  void AwaitIdle();

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace packice
