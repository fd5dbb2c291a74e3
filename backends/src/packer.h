// Keeps a store's blobs within a number of descriptors, by packing small ones together.
//
// Shared by a MemoryBlobStore and its blobs. Thread-safe. At any time at most one thread packs, on
// behalf of all; it copies without the lock, so that others create, seal and destroy blobs
// meanwhile.
//
// Small sealed blobs wait in a queue, oldest first, and are packed past the high-water mark. Later
// - a poor pack, less than a quarter of it in use, is copied into a new one of the right size;
// - thin packs, small against what a pack may be, are merged when there are several.
// So packs hold at most four times the bytes that live in them (while no packing fails), and nearly
// all of them at least a quarter of a full pack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "memory_medium.h"
#include "pack.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"
#include "tenant.h"

namespace packice {

class Packer {
 public:
  explicit Packer(const MemoryBlobStoreOptions& options);

  // A fresh blob's bytes, to be given back by Leave. May pack, all the more when no descriptor is
  // left. Fails as BlobStore::Create does.
  absl::StatusOr<std::shared_ptr<Tenant>> Create(absl::optional<uint64_t> size);

  // The tenant's bytes are sealed now. May pack.
  void Sealed(const std::shared_ptr<Tenant>& tenant);

  // The tenant's blob is being destroyed. May copy what is left of its pack.
  void Leave(const std::shared_ptr<Tenant>& tenant);

  MemoryBlobStore::Counters counters() const;

 private:
  // What one thread does at a time, and what it needs for that.
  struct Job {
    Tenants tenants;
    std::vector<Pack*> sources;  // their packs; empty when they come from the queue
    std::unique_ptr<Blob> memory;
  };
  // What is to be dropped without the lock, because it closes descriptors and frees memory.
  struct Trash {
    Tenants tenants;
    std::vector<std::shared_ptr<Blob>> homes;
  };

  // Each puts into `job` what there is to do, if anything, and reserves the right to do it.
  bool TakeJob(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeQueued(Job& job, size_t at_least) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakePacks(Job& job, const absl::flat_hash_set<Pack*>& among, size_t at_least)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Does `job`, and then what else there is to do.
  void Work(Job job) ABSL_LOCKS_EXCLUDED(mutex_);
  void MoveIn(Job& job, FilledPack filled, Trash& trash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MoveBack(Job& job, Trash& trash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Files the pack under poor and thin as is right by now, or drops it when nobody lives there.
  void Classify(Pack* pack) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(Pack* pack) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Packs whatever there is, to free descriptors. False when there was nothing.
  bool MakeRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HoldsAllItMay() const ABSL_LOCKS_EXCLUDED(mutex_);

  const uint64_t packable_size_;
  const uint64_t pack_bytes_;
  const size_t pack_blobs_;
  const size_t pack_min_blobs_;
  const size_t high_water_;
  const size_t max_descriptors_;
  MemoryMedium medium_;

  mutable Mutex mutex_;
  CondVar idle_;
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  // Calls that are to pass before the next job, after one that failed.
  int rest_ ABSL_GUARDED_BY(mutex_) = 0;
  // Kept for the next pack, so that there is one when no descriptor is left.
  std::unique_ptr<Blob> spare_ ABSL_GUARDED_BY(mutex_);

  size_t own_descriptors_ ABSL_GUARDED_BY(mutex_) = 0;
  Tenants queue_ ABSL_GUARDED_BY(mutex_);
  uint64_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<Pack*, std::unique_ptr<Pack>> packs_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Pack*> poor_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Pack*> thin_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
