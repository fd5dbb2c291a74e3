// Many small blobs in one memfd.
//
// A Pack is the packer's record, under its lock; the memfd itself belongs to the blobs that live in
// it, and goes with the last of them and of those they were handed to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/blob.h"
#include "tenant.h"

namespace packice {

struct Pack {
  uint64_t total_bytes = 0;
  // Of those who live here, those on the move to elsewhere included.
  uint64_t live_bytes = 0;
  size_t live_blobs = 0;
  Tenants tenants;

  void Add(uint64_t room) {
    live_bytes += room;
    ++live_blobs;
  }
  void Subtract(uint64_t room) {
    live_bytes -= room;
    --live_blobs;
  }
};

// What a blob of `size` bytes takes up in a pack: a whole number of cache lines, at least one.
uint64_t PackRoom(uint64_t size);

struct FilledPack {
  uint64_t total_bytes = 0;
  // For each tenant its new home, in their order.
  std::vector<std::shared_ptr<Blob>> homes;
};

// Copies the tenants' bytes into `memory`, an empty blob without a declared size, and seals it. The
// tenants stay where they are. Fails as Blob's Read, Write and Seal do.
absl::StatusOr<FilledPack> FillPack(std::unique_ptr<Blob> memory, const Tenants& tenants);

}  // namespace packice
