// Where the payloads of pieces that arrive on one link go: straight into the store that the channel
// fills, or nowhere. Owned by its link; thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/p2p/frame.h"
#include "packice/p2p/piece_store.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

class Inbox {
 public:
  // `discard` is room for bytes that nobody wants. Shared; outlives the inbox.
  explicit Inbox(absl::Span<char> discard) : discard_(discard) {}

  // Whole pieces of this channel that come before their store is there are kept for it, up to so
  // many bytes.
  void Keep(uint32_t channel, size_t bytes);
  // Answers what became of the pieces that were kept.
  std::vector<std::pair<uint32_t, TransferEvents::PieceResult>> Fill(
      uint32_t channel, std::shared_ptr<PieceStore> store);
  // What comes on it from now on, and the rest of what is just coming, is not wanted.
  void Forget(uint32_t channel);

  // A piece begins. Requires: none is under way.
  void Begin(const PieceFrame& piece);
  // Its bytes that have not come yet; zero: no piece is under way.
  size_t left() const { return left_; }
  // Room for the next of them, at most `max`.
  absl::Span<char> Space(size_t max);
  // So many have been put there. Requires: no more than there was room.
  void Filled(size_t bytes);

  const PieceFrame& piece() const { return piece_; }  // the last that has begun
  // How it ended; nothing: it is kept. Requires: left() is zero.
  absl::optional<TransferEvents::PieceResult> Finish();

 private:
  struct KeptPiece {
    uint32_t piece = 0;
    std::string bytes;
  };
  struct KeptChannel {
    size_t room = 0;  // bytes
    std::vector<KeptPiece> pieces;
  };

  void BeginToKeep(const PieceFrame& piece);
  // The piece under way goes there, if it wants it.
  void Accept(PieceStore& store);
  static TransferEvents::PieceResult Deliver(const KeptPiece& kept, PieceStore& target);

  absl::Span<char> discard_;
  absl::flat_hash_map<uint32_t, std::shared_ptr<PieceStore>> stores_;
  PieceFrame piece_;
  size_t left_ = 0;
  bool malformed_ = false;                        // no piece of that number, or of another length
  std::unique_ptr<PieceStore::Arrival> arrival_;  // null: not wanted, or kept
  absl::flat_hash_map<uint32_t, KeptChannel> kept_;
  bool keeping_ = false;  // the piece under way is the last one of its channel's
};

}  // namespace packice
