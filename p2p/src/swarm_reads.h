// The reads of a node that its own peer could not answer at once: each goes to and fro between the
// local peer and the swarm until one of them has the object, its time is over, or its caller gives
// up. Thread-safe. Kept alive by what it has asked of the local peer, which may answer after the
// node's other parts have gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "node_objects.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/transfer_engine.h"
#include "post.h"
#include "timer_thread.h"

namespace packice {

class SwarmReads : public std::enable_shared_from_this<SwarmReads> {
 public:
  // All are used until Close only, but the local peer, which outlives it; the engine is used on its
  // thread only.
  SwarmReads(Peer& local, NodeObjects& objects, TransferEngine& engine, Directory& directory,
             TimerThread& timers, Post post, const Clock& clock);
  ~SwarmReads();

  // Peer::Acquire of kRead.
  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done);
  void Cancel(OperationId operation);
  void EndSession(SessionId session);

  // The object is here now, or may be had somewhere.
  void Wake(const ObjectId& object_id);

  // Ends all reads with `unavailable`, those to come, too.
  void Stop();
  // After Stop. Blocks until nothing is under way that uses the engine, the directory or the
  // timers.
  void Close();

  // Those that no peer counts as waiting.
  size_t waiting() const;

 private:
  struct Read;
  struct Parked;
  using ReadRef = std::shared_ptr<Read>;

  // Until its time is over.
  void StartTimer(const ReadRef& read);
  void AskLocal(const ReadRef& read);
  void WaitLocal(const ReadRef& read);
  void AskSwarm(const ReadRef& read);
  void OnLocal(const ReadRef& read, absl::StatusOr<Grant> grant);
  void OnFetched(const ReadRef& read, const absl::Status& status);
  void LookOnceMore(const ReadRef& read, absl::Status nobody);
  // Until somebody has the object.
  void Park(const ReadRef& read);
  void Finish(const ReadRef& read, absl::StatusOr<Grant> grant);
  // Ends those that are asked for, wherever they are.
  template <typename Predicate>
  void EndWhere(Predicate predicate, const absl::Status& why);
  void Unpark(const ReadRef& read);
  void DropEnded();

  Peer& local_;
  NodeObjects& objects_;
  TransferEngine& engine_;
  Directory& directory_;
  TimerThread& timers_;
  const Post post_;
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar awake_;  // nobody is in Wake
  size_t waking_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<uint64_t, ReadRef> reads_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ObjectId, std::unique_ptr<Parked>> parked_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Directory::Watch>> ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
