#include "sealed_pieces.h"

namespace packice {

absl::StatusOr<std::shared_ptr<PieceStore>> SealedPieces::Make(
    SwarmLease lease, std::shared_ptr<const Manifest> manifest) {
  absl::StatusOr<BlobView> view = BlobView::Map(lease.shared_object());
  if (!view.ok()) return view.status();
  return std::shared_ptr<PieceStore>(
      new SealedPieces(std::move(lease), std::move(manifest), *std::move(view)));
}

absl::StatusOr<PieceStore::Bytes> SealedPieces::Read(uint32_t piece) {
  return view_.Slice(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
}

PieceStore::FileRanges SealedPieces::Files(uint32_t piece) const {
  return view_.Files(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
}

}  // namespace packice
