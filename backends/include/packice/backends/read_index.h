// Where the node's small objects lie, in memory that clients read: they look an object up and copy
// it out of their mapping of its segment without a message (read_index_view.h is their side).
//
// Owned by the node. Thread-safe; one short lock. An entry is a promise: until Withdraw returns,
// the bytes at its place are the object's. What cannot be told here (a table with no place for an
// id, sizes of 4 GiB, offsets past 1 TiB) is left out, and its readers ask the node.
//
// The table grows by a new one in new memory: entries move a few with each call, and when all have,
// descriptor() changes and readers of the old one are told that it is stale. The call that is last
// frees the old one, without the lock: some 50 ms for ten million entries. An entry takes 76 to 96
// bytes at sizes that matter, and in both tables while it grows; one with an id of more than 32
// bytes takes the id's length more. It does not shrink.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"
#include "packice/core/random.h"
#include "packice/core/unique_fd.h"

namespace packice {

class ReadIndexTable;

struct ReadIndexEntry {
  // For `segment`: the object has memory of its own, and `offset` is that memory's inode.
  static constexpr uint32_t kOwnMemory = UINT32_MAX;

  absl::string_view id;  // of 1 to 255 bytes
  // Where the object begins, which no two objects do at a time.
  uint32_t segment = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  // From when on nobody may read it. On the scale of the system clock, which all processes share.
  Instant deadline = absl::InfiniteDuration();
  // All of it lies there. Otherwise the entry only says which object has the id now.
  bool readable = true;
};

struct ReadIndexOptions {
  // To begin with; the table grows when 27 of 32 are taken.
  uint64_t slots = 4096;
  RandomSource* random = &RandomSource::System();
};

class ReadIndex {
 public:
  // `unsupported` where the kernel has no memfd or no F_SEAL_FUTURE_WRITE (before Linux 5.1),
  // `capacity` when descriptors or memory run out.
  static absl::StatusOr<std::unique_ptr<ReadIndex>> Create(const ReadIndexOptions& options = {});

  // Tells all readers that the index is over. Until then nobody may reuse memory that an entry
  // names; segments may be closed before, because readers have mappings of their own.
  ~ReadIndex();

  // From now on readers may find it. Requires: the bytes are written, by this thread or by one that
  // this one has synchronised with. Replaces the entry of that id, whose bytes may then be recycled
  // as after Withdraw.
  void Publish(const ReadIndexEntry& entry);

  // Once it has returned, no read of the object that is not yet validated will be: the bytes may be
  // recycled. An id that is not there is no error.
  void Withdraw(absl::string_view id);

  // To be called by each thread that has been given recycled bytes, before its first store to them,
  // and after whatever lock told it that they are its own. Without it C++ lets a reader see the new
  // bytes and yet an old version, though x86-64 and arm64 do not (src/read_index_slot.h).
  static void BeforeRefill() { std::atomic_thread_fence(std::memory_order_release); }

  // What clients map: not writable through this descriptor, nor ever to become so. Changes when the
  // table has grown.
  std::shared_ptr<const UniqueFd> descriptor() const;

  // The object that a reader says it found in a slot, if it is there still. For hints only: slots
  // are taken anew, and `check` says with 32 bits which of its tenants was meant.
  absl::optional<ObjectId> IdAt(uint64_t slot, uint32_t check) const;

  uint64_t entries() const;
  // Of memory in use or about to be, both tables while it grows.
  uint64_t bytes() const;

 private:
  ReadIndex(std::unique_ptr<ReadIndexTable> table, uint64_t seed, RandomSource& random);

  // Begins to grow when it is time, moves some entries, and ends when all have moved. What is to be
  // freed goes into `done`, to be dropped without the lock.
  void Grow(std::unique_ptr<ReadIndexTable>& done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Puts what is in the next slots of table_, or in one, into next_ too.
  void CarrySome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Carry(uint64_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  RandomSource& random_;
  const uint64_t seed_;  // of all tables, so that an id is hashed once, without the lock
  mutable Mutex mutex_;
  std::unique_ptr<ReadIndexTable> table_ ABSL_GUARDED_BY(mutex_);  // what readers have
  std::unique_ptr<ReadIndexTable> next_ ABSL_GUARDED_BY(mutex_);   // while growing
  uint64_t moved_ ABSL_GUARDED_BY(mutex_) = 0;                     // slots of table_, into next_
  int rest_ ABSL_GUARDED_BY(mutex_) = 0;  // calls until it tries again, after a failure to grow
};

}  // namespace packice
