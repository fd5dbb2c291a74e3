#include "packice/p2p/testing/memory_pieces.h"

#include <algorithm>
#include <utility>

#include "packice/core/error.h"

namespace packice {

std::shared_ptr<const Manifest> ManifestOf(absl::string_view bytes, uint64_t piece_size,
                                           HashKind hash) {
  auto manifest = std::make_shared<Manifest>();
  manifest->hash = hash;
  manifest->piece_size = piece_size;
  manifest->blob_sizes = {bytes.size()};
  for (uint32_t piece = 0; piece < manifest->pieces(); ++piece) {
    const absl::string_view text =
        bytes.substr(manifest->PieceOffset(piece), manifest->PieceBytes(piece));
    manifest->piece_digests += std::string(HashOf(hash, text).bytes());
  }
  return manifest;
}

WholeMemoryPieces::WholeMemoryPieces(ObjectId object_id, std::shared_ptr<const Manifest> manifest,
                                     absl::string_view bytes, int fd)
    : object_id_(std::move(object_id)), manifest_(std::move(manifest)), bytes_(bytes), fd_(fd) {}

absl::StatusOr<PieceStore::Bytes> WholeMemoryPieces::Read(uint32_t piece) {
  const absl::string_view bytes =
      bytes_.substr(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
  return Bytes{absl::MakeConstSpan(bytes.data(), bytes.size())};
}

PieceStore::FileRanges WholeMemoryPieces::Files(uint32_t piece) const {
  if (fd_ < 0) return {};
  return {FileRange{fd_, manifest_->PieceOffset(piece), manifest_->PieceBytes(piece)}};
}

// Writes either to the piece's own place, which it has claimed, or to scratch memory.
class PartialMemoryPieces::MemoryArrival final : public Arrival {
 public:
  MemoryArrival(PartialMemoryPieces& store, uint32_t piece)
      : store_(store), piece_(piece), claimed_(store.states_[piece] == PieceState::kMissing) {
    if (claimed_) store.states_[piece] = PieceState::kClaimed;
    if (!claimed_) scratch_.resize(store.Place(piece).size());
    left_ = claimed_ ? store.Place(piece) : absl::MakeSpan(scratch_);
    if (store.idle_hashers_.empty()) {
      hasher_ = ContentHasher::Make(store.manifest_->hash);
    } else {
      hasher_ = std::move(store.idle_hashers_.back());
      store.idle_hashers_.pop_back();
    }
  }

  ~MemoryArrival() override {
    if (claimed_ && !store_.Held(piece_)) store_.states_[piece_] = PieceState::kMissing;
    if (fed_) hasher_->Finish();
    store_.idle_hashers_.push_back(std::move(hasher_));
  }

  absl::Span<char> Space(size_t max) override {
    if (claimed_ && store_.Held(piece_)) GiveUpPlace();
    return left_.subspan(0, max);
  }

  void Filled(size_t bytes) override {
    hasher_->Update(absl::string_view(left_.data(), bytes));
    left_.remove_prefix(bytes);
    fed_ = true;
  }

  bool Verify() override {
    fed_ = false;
    if (hasher_->Finish().bytes() != store_.manifest_->PieceDigest(piece_)) return false;
    if (store_.Held(piece_)) return true;
    // Who is writing there notices before it writes again.
    if (!claimed_) std::copy(scratch_.begin(), scratch_.end(), store_.Place(piece_).begin());
    store_.states_[piece_] = PieceState::kHeld;
    ++store_.held_;
    return true;
  }

 private:
  // Another arrival was faster: what it put there is held, and changes no more.
  void GiveUpPlace() {
    claimed_ = false;
    const size_t at = store_.Place(piece_).size() - left_.size();
    scratch_.resize(store_.Place(piece_).size());
    left_ = absl::MakeSpan(scratch_).subspan(at);
  }

  PartialMemoryPieces& store_;
  const uint32_t piece_;
  bool claimed_;
  std::vector<char> scratch_;
  absl::Span<char> left_;
  std::unique_ptr<ContentHasher> hasher_;
  bool fed_ = false;
};

PartialMemoryPieces::PartialMemoryPieces(ObjectId object_id,
                                         std::shared_ptr<const Manifest> manifest,
                                         absl::Span<char> bytes)
    : object_id_(std::move(object_id)),
      manifest_(std::move(manifest)),
      bytes_(bytes),
      states_(manifest_->pieces(), PieceState::kMissing) {}
PartialMemoryPieces::~PartialMemoryPieces() = default;

bool PartialMemoryPieces::Held(uint32_t piece) const {
  return piece < states_.size() && states_[piece] == PieceState::kHeld;
}

absl::Span<char> PartialMemoryPieces::Place(uint32_t piece) const {
  return bytes_.subspan(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
}

absl::StatusOr<PieceStore::Bytes> PartialMemoryPieces::Read(uint32_t piece) {
  if (!Held(piece)) return MakeError(ErrorKind::kInternal, "a piece that is not held");
  return Bytes{Place(piece)};
}

std::unique_ptr<PieceStore::Arrival> PartialMemoryPieces::Receive(uint32_t piece) {
  if (Held(piece)) return nullptr;
  return std::make_unique<MemoryArrival>(*this, piece);
}

}  // namespace packice
