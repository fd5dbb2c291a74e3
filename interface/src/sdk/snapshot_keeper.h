// The IndexSnapshot that readers use at the moment, replaced while they do, and dropped when its
// connection hangs up: a node that was killed leaves an index that never changes again.
//
// Owned by an IndexReader; of one process, and left as it is by a forked child (Abandon).
// Thread-safe. Enter takes no lock and never waits. A thread of its own, from the first snapshot
// on, waits for the connection's end without reading from it, and frees what was replaced once
// nobody reads it, so that no caller does.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"
#include "sdk/index_snapshot.h"
#include "sdk/read_sections.h"

namespace packice::sdk {

class SnapshotKeeper {
 public:
  // A look at the snapshot, which stays while this does.
  class Use {
   public:
    explicit Use(SnapshotKeeper& keeper)
        : section_(keeper.readers_.Enter()),
          snapshot_(Connected(keeper.current_.load(std::memory_order_seq_cst))) {}

    // Null while there is none, and where its connection is known to be over: the thread that drops
    // it may not have run yet.
    const IndexSnapshot* get() const { return snapshot_; }
    const IndexSnapshot* operator->() const { return snapshot_; }

   private:
    static const IndexSnapshot* Connected(const IndexSnapshot* snapshot) {
      const bool over =
          snapshot != nullptr && snapshot->connection()->broken.load(std::memory_order_acquire);
      return over ? nullptr : snapshot;
    }

    const ReadSections::Section section_;
    const IndexSnapshot* const snapshot_;
  };

  SnapshotKeeper() = default;
  // Ends the thread. Nobody is at using it.
  ~SnapshotKeeper();

  Use Enter() { return Use(*this); }

  // Null: there is none from now on. False, and nothing changes, where this process had no
  // descriptor or thread left to watch with.
  bool Replace(std::unique_ptr<IndexSnapshot> next);

  // In a forked child, instead of the destructor: the thread is not here, the locks are as the fork
  // found them. Once.
  void Abandon();

 private:
  bool StartWatcher() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Exchange(std::unique_ptr<IndexSnapshot> next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Watch();
  // What was replaced, and the connection of what is not; false when it is over.
  bool Next(std::vector<std::unique_ptr<IndexSnapshot>>& replaced,
            std::shared_ptr<const NodeConnection>& connection);
  void Wake();
  void HungUp(const std::shared_ptr<const NodeConnection>& connection);

  std::atomic<IndexSnapshot*> current_{nullptr};  // owned; exchanged under mutex_
  ReadSections readers_;
  UniqueFd wake_;  // an eventfd, for the thread; made before it
  Mutex mutex_;
  std::vector<std::unique_ptr<IndexSnapshot>> replaced_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watcher_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice::sdk
