#include "inbox.h"

#include <algorithm>
#include <utility>

namespace packice {
namespace {

void Feed(PieceStore::Arrival& arrival, absl::string_view bytes) {
  while (!bytes.empty()) {
    const absl::Span<char> space = arrival.Space(bytes.size());
    std::copy_n(bytes.begin(), space.size(), space.begin());
    arrival.Filled(space.size());
    bytes.remove_prefix(space.size());
  }
}

}  // namespace

using PieceResult = TransferEvents::PieceResult;

void Inbox::Keep(uint32_t channel, size_t bytes) { kept_[channel].room = bytes; }

std::vector<std::pair<uint32_t, PieceResult>> Inbox::Fill(uint32_t channel,
                                                          std::shared_ptr<PieceStore> store) {
  std::vector<std::pair<uint32_t, PieceResult>> results;
  PieceStore& target = *(stores_[channel] = std::move(store));
  const auto it = kept_.find(channel);
  if (it == kept_.end()) return results;
  if (keeping_ && piece_.channel == channel) {
    // The rest of it goes where it belongs.
    const KeptPiece head = std::move(it->second.pieces.back());
    it->second.pieces.pop_back();
    keeping_ = false;
    Accept(target);
    const absl::string_view come = absl::string_view(head.bytes).substr(0, piece_.bytes - left_);
    if (arrival_ != nullptr) Feed(*arrival_, come);
  }
  for (const KeptPiece& kept : it->second.pieces) {
    results.emplace_back(kept.piece, Deliver(kept, target));
  }
  kept_.erase(it);
  return results;
}

PieceResult Inbox::Deliver(const KeptPiece& kept, PieceStore& target) {
  const Manifest& manifest = *target.manifest();
  if (kept.piece >= manifest.pieces() || kept.bytes.size() != manifest.PieceBytes(kept.piece)) {
    return PieceResult::kCorrupt;
  }
  const std::unique_ptr<PieceStore::Arrival> arrival = target.Receive(kept.piece);
  if (arrival == nullptr) return PieceResult::kUnwanted;
  Feed(*arrival, kept.bytes);
  return arrival->Verify() ? PieceResult::kVerified : PieceResult::kCorrupt;
}

void Inbox::Forget(uint32_t channel) {
  if (piece_.channel == channel) {
    arrival_ = nullptr;  // it uses the store
    keeping_ = false;
  }
  stores_.erase(channel);
  kept_.erase(channel);
}

void Inbox::Begin(const PieceFrame& piece) {
  piece_ = piece;
  left_ = piece.bytes;
  malformed_ = false;
  arrival_ = nullptr;
  keeping_ = false;
  const auto it = stores_.find(piece.channel);
  if (it == stores_.end()) return BeginToKeep(piece);
  Accept(*it->second);
}

void Inbox::Accept(PieceStore& store) {
  const Manifest& manifest = *store.manifest();
  malformed_ =
      piece_.piece >= manifest.pieces() || piece_.bytes != manifest.PieceBytes(piece_.piece);
  if (!malformed_) arrival_ = store.Receive(piece_.piece);
}

void Inbox::BeginToKeep(const PieceFrame& piece) {
  const auto it = kept_.find(piece.channel);
  if (it == kept_.end() || piece.bytes > it->second.room) return;
  it->second.room -= piece.bytes;
  it->second.pieces.push_back({piece.piece, std::string(piece.bytes, '\0')});
  keeping_ = true;
}

absl::Span<char> Inbox::Space(size_t max) {
  max = std::min(max, left_);
  if (arrival_ != nullptr) return arrival_->Space(max);
  if (!keeping_) return discard_.subspan(0, max);
  std::string& bytes = kept_[piece_.channel].pieces.back().bytes;
  return absl::MakeSpan(&bytes[bytes.size() - left_], max);
}

void Inbox::Filled(size_t bytes) {
  if (arrival_ != nullptr) arrival_->Filled(bytes);
  left_ -= bytes;
}

absl::optional<PieceResult> Inbox::Finish() {
  const std::unique_ptr<PieceStore::Arrival> arrival = std::move(arrival_);
  if (keeping_) {
    keeping_ = false;
    return absl::nullopt;
  }
  if (malformed_) return PieceResult::kCorrupt;
  if (arrival == nullptr) return PieceResult::kUnwanted;
  return arrival->Verify() ? PieceResult::kVerified : PieceResult::kCorrupt;
}

}  // namespace packice
