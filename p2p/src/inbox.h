// Where the payloads of pieces that arrive on one link go: straight into the store that the channel
// fills, or nowhere. Owned by its link; thread-compatible.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "packice/p2p/frame.h"
#include "packice/p2p/piece_store.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

class Inbox {
 public:
  // `discard` is room for bytes that nobody wants. Shared; outlives the inbox.
  explicit Inbox(absl::Span<char> discard) : discard_(discard) {}

  void Fill(uint32_t channel, std::shared_ptr<PieceStore> store);
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
  // How it ended. Requires: left() is zero.
  TransferEvents::PieceResult Finish();

 private:
  absl::Span<char> discard_;
  absl::flat_hash_map<uint32_t, std::shared_ptr<PieceStore>> stores_;
  PieceFrame piece_;
  size_t left_ = 0;
  bool malformed_ = false;                        // no piece of that number, or of another length
  std::unique_ptr<PieceStore::Arrival> arrival_;  // null: not wanted
};

}  // namespace packice
