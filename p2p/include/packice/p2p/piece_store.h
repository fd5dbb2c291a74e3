// An object's bytes as pieces: one that is sealed here, to be read by others, or one that is being
// downloaded, to be written and, as far as it is verified, read by others.
//
// Shared by the channels that use it; thread-compatible: all use is on the engine's thread. It
// keeps its lease of the object for as long as it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "packice/core/object_id.h"
#include "packice/p2p/manifest.h"

namespace packice {

class PieceStore {
 public:
  // A piece may lie in several blobs.
  using Bytes = absl::InlinedVector<absl::Span<const char>, 1>;

  // Bytes of a file.
  struct FileRange {
    int fd = -1;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  using FileRanges = absl::InlinedVector<FileRange, 1>;

  // A piece that is just arriving. Feeds on its bytes in order, wherever they are put.
  class Arrival {
   public:
    virtual ~Arrival() = default;
    // Where the next bytes go: at most `max`, at least one while the piece is not whole. Good only
    // until anything else is done with the store, so it is asked for right before bytes are put.
    virtual absl::Span<char> Space(size_t max) = 0;
    // So many bytes have been put there.
    virtual void Filled(size_t bytes) = 0;
    // All are there. True: they are what the manifest says, and the piece is held from now on.
    virtual bool Verify() = 0;
  };

  virtual ~PieceStore() = default;

  virtual const ObjectId& object_id() const = 0;
  virtual const std::shared_ptr<const Manifest>& manifest() const = 0;

  // Pieces that are here and verified.
  virtual bool Held(uint32_t piece) const = 0;
  virtual uint32_t pieces_held() const = 0;

  // The bytes of a piece that is held; good while the store lives. `io`.
  virtual absl::StatusOr<Bytes> Read(uint32_t piece) = 0;
  // The same bytes as ranges of files, for sendfile(2); nothing where they are in none. The
  // descriptors are good while the store lives.
  virtual FileRanges Files(uint32_t /*piece*/) const { return {}; }

  // Null when the piece is here already: its bytes are to be thrown away. Several arrivals of one
  // piece may be under way at a time; none of them ever changes a byte of a piece that is held.
  virtual std::unique_ptr<Arrival> Receive(uint32_t piece) = 0;
};

}  // namespace packice
