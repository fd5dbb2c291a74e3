// Blobs in memory, for a node that holds many: each in a memfd of its own until descriptors run
// short, then the small ones together in packs.
//
// Owned by the peer that fills it; its blobs may outlive it. Thread-safe. Calls block for the
// kernel only.
//
// A process may hold only so many descriptors (RLIMIT_NOFILE), and every memfd takes one. Past a
// high-water mark small sealed blobs, oldest first, are copied into a pack: one memfd, sealed as
// theirs were, of which each has a range. Nobody notices but by Describe, whose offset is then not
// 0: reads, mappings and descriptors taken before stay good. The thread that crosses the mark by
// Create or by a Seal does that work, a few MiB at a time, while others go on.
//
// A pack's memory goes with its last blob. Before that, when less than a quarter of it is in use,
// the blobs left move to another: the thread that destroys a blob then copies that quarter. Whoever
// is handed a packed blob's descriptor can read its neighbours in the pack, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/blob_store.h"

namespace packice {

class Packer;

struct MemoryBlobStoreOptions {
  enum class Medium {
    kAuto,      // memfds, or temporary files where the kernel or a sandbox has no memfd
    kMemfd,     // MemfdBlob
    kTempFile,  // TempFileBlob
  };

  Medium medium = Medium::kAuto;

  // For kAuto and kTempFile. Nothing: TempFileBlob::DefaultDirectory().
  absl::optional<std::string> temp_directory;

  // How many descriptors blobs and packs may hold before small blobs are packed. Nothing: half of
  // what the process may open when the store is made.
  absl::optional<size_t> high_water;

  // How many they may hold at all: then Create is `capacity`, so that connections and whatever else
  // the process does still find some. Nothing: three quarters of what the process may open when the
  // store is made.
  absl::optional<size_t> max_descriptors;

  // Blobs up to this size (bytes) are packed; larger ones keep a descriptor each.
  uint64_t packable_size = 64 * 1024;

  // A pack is full when it holds this many bytes or blobs.
  uint64_t pack_bytes = 4 * 1024 * 1024;
  size_t pack_blobs = 1024;

  // Packing waits until there are this many blobs, or half of pack_bytes, to fill one with; at
  // least 1.
  size_t pack_min_blobs = 32;
};

class MemoryBlobStore final : public BlobStore {
 public:
  // What the store and its living blobs hold.
  struct Counters {
    uint64_t own_descriptors = 0;     // blobs with a memfd, or file, of their own
    uint64_t packs = 0;               // one descriptor each
    uint64_t packed_blobs = 0;        // blobs that live in packs
    uint64_t packed_live_bytes = 0;   // of the packs, what those blobs take up
    uint64_t packed_total_bytes = 0;  // of the packs, all
  };

  explicit MemoryBlobStore(MemoryBlobStoreOptions options = {});
  ~MemoryBlobStore() override;

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override;

  Counters counters() const;

 private:
  const std::shared_ptr<Packer> packer_;
};

}  // namespace packice
