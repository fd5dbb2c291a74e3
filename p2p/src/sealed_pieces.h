// A sealed object of this node, for others to copy. Keeps its READ lease.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "blob_view.h"
#include "packice/p2p/piece_store.h"
#include "swarm_lease.h"

namespace packice {

class SealedPieces final : public PieceStore {
 public:
  // `manifest` is that of the leased object. Errors of BlobView::Map.
  static absl::StatusOr<std::shared_ptr<PieceStore>> Make(SwarmLease lease,
                                                          std::shared_ptr<const Manifest> manifest);

  const ObjectId& object_id() const override { return lease_.object().id(); }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t piece) const override { return piece < manifest_->pieces(); }
  uint32_t pieces_held() const override { return manifest_->pieces(); }
  absl::StatusOr<Bytes> Read(uint32_t piece) override;
  FileRanges Files(uint32_t piece) const override;
  std::unique_ptr<Arrival> Receive(uint32_t) override { return nullptr; }

 private:
  SealedPieces(SwarmLease lease, std::shared_ptr<const Manifest> manifest, BlobView view)
      : lease_(std::move(lease)), manifest_(std::move(manifest)), view_(std::move(view)) {}

  const SwarmLease lease_;
  const std::shared_ptr<const Manifest> manifest_;
  const BlobView view_;
};

}  // namespace packice
