// Piece stores over memory that somebody else owns, for tests and benchmarks. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/p2p/content_hasher.h"
#include "packice/p2p/piece_store.h"

namespace packice {

// Of an object with one blob of these bytes.
std::shared_ptr<const Manifest> ManifestOf(absl::string_view bytes, uint64_t piece_size,
                                           HashKind hash = HashKind::kXxh3);

// All pieces are here. `bytes` outlive it, as does `fd`, a file of the same bytes, if there is one.
class WholeMemoryPieces final : public PieceStore {
 public:
  WholeMemoryPieces(ObjectId object_id, std::shared_ptr<const Manifest> manifest,
                    absl::string_view bytes, int fd = -1);

  const ObjectId& object_id() const override { return object_id_; }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t piece) const override { return piece < manifest_->pieces(); }
  uint32_t pieces_held() const override { return manifest_->pieces(); }
  absl::StatusOr<Bytes> Read(uint32_t piece) override;
  FileRanges Files(uint32_t piece) const override;
  std::unique_ptr<Arrival> Receive(uint32_t) override { return nullptr; }

 private:
  const ObjectId object_id_;
  const std::shared_ptr<const Manifest> manifest_;
  const absl::string_view bytes_;
  const int fd_;
};

// Pieces come one by one, into `bytes`, which are as long as the object and outlive it.
class PartialMemoryPieces final : public PieceStore {
 public:
  PartialMemoryPieces(ObjectId object_id, std::shared_ptr<const Manifest> manifest,
                      absl::Span<char> bytes);
  ~PartialMemoryPieces() override;

  const ObjectId& object_id() const override { return object_id_; }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t piece) const override;
  uint32_t pieces_held() const override { return held_; }
  absl::StatusOr<Bytes> Read(uint32_t piece) override;
  // The first to arrive is written where it belongs, others of the same piece into memory of their
  // own.
  std::unique_ptr<Arrival> Receive(uint32_t piece) override;

 private:
  class MemoryArrival;
  enum class PieceState : uint8_t { kMissing, kClaimed, kHeld };

  absl::Span<char> Place(uint32_t piece) const;

  const ObjectId object_id_;
  const std::shared_ptr<const Manifest> manifest_;
  const absl::Span<char> bytes_;
  std::vector<PieceState> states_;
  uint32_t held_ = 0;
  std::vector<std::unique_ptr<ContentHasher>> idle_hashers_;  // to use again
};

}  // namespace packice
