#include "inbox.h"

#include <algorithm>
#include <utility>

namespace packice {

void Inbox::Fill(uint32_t channel, std::shared_ptr<PieceStore> store) {
  stores_[channel] = std::move(store);
}

void Inbox::Forget(uint32_t channel) {
  if (piece_.channel == channel) arrival_ = nullptr;  // it uses the store
  stores_.erase(channel);
}

void Inbox::Begin(const PieceFrame& piece) {
  piece_ = piece;
  left_ = piece.bytes;
  malformed_ = false;
  arrival_ = nullptr;
  const auto it = stores_.find(piece.channel);
  if (it == stores_.end()) return;
  const Manifest& manifest = *it->second->manifest();
  malformed_ = piece.piece >= manifest.pieces() || piece.bytes != manifest.PieceBytes(piece.piece);
  if (!malformed_) arrival_ = it->second->Receive(piece.piece);
}

absl::Span<char> Inbox::Space(size_t max) {
  max = std::min(max, left_);
  return arrival_ != nullptr ? arrival_->Space(max) : discard_.subspan(0, max);
}

void Inbox::Filled(size_t bytes) {
  if (arrival_ != nullptr) arrival_->Filled(bytes);
  left_ -= bytes;
}

TransferEvents::PieceResult Inbox::Finish() {
  const std::unique_ptr<PieceStore::Arrival> arrival = std::move(arrival_);
  if (malformed_) return TransferEvents::PieceResult::kCorrupt;
  if (arrival == nullptr) return TransferEvents::PieceResult::kUnwanted;
  return arrival->Verify() ? TransferEvents::PieceResult::kVerified
                           : TransferEvents::PieceResult::kCorrupt;
}

}  // namespace packice
