// An object that is being copied to this node: created, reserved in full, filled piece by piece.
// Pieces that are verified may be copied by others at once. Keeps its CREATE lease.
//
// A piece arrives in its place, so that it is not copied again. While one arrival of a piece has
// its place, others of the same piece gather in memory of their own: so no byte of a held piece is
// ever written, whatever else arrives.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "blob_view.h"
#include "packice/core/mapping.h"
#include "packice/p2p/piece_store.h"
#include "swarm_lease.h"

namespace packice {

class PartialPieces final : public PieceStore, public std::enable_shared_from_this<PartialPieces> {
 public:
  // Over a CREATE lease of an object with the manifest's blobs. Errors of mapping them.
  static absl::StatusOr<std::shared_ptr<PartialPieces>> Make(
      SwarmLease lease, std::shared_ptr<const Manifest> manifest);
  ~PartialPieces() override;

  const ObjectId& object_id() const override { return object_id_; }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t piece) const override { return piece < held_.size() && held_[piece]; }
  uint32_t pieces_held() const override { return pieces_held_; }
  absl::StatusOr<Bytes> Read(uint32_t piece) override;
  FileRanges Files(uint32_t piece) const override;
  std::unique_ptr<Arrival> Receive(uint32_t piece) override;

  // No byte can be written from now on, so that the object can be sealed.
  void CloseForWriting();
  SwarmLease& lease() { return lease_; }

 private:
  class Incoming;

  PartialPieces(SwarmLease lease, std::shared_ptr<const Manifest> manifest, BlobView view);
  // Where the bytes of the run from `offset` on lie, as far as they lie together.
  absl::Span<char> Place(uint64_t offset);
  void Keep(uint32_t piece) {
    held_[piece] = true;
    ++pieces_held_;
  }

  const ObjectId object_id_;
  SwarmLease lease_;
  const std::shared_ptr<const Manifest> manifest_;
  const BlobView view_;
  std::vector<Mapping> places_;  // of each blob, empty ones too; none: closed for writing
  std::vector<bool> held_;
  uint32_t pieces_held_ = 0;
  // Arrivals that have a piece's place.
  std::vector<std::pair<uint32_t, Incoming*>> in_place_;
};

}  // namespace packice
