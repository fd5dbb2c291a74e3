#include "partial_pieces.h"

#include <algorithm>
#include <string>
#include <utility>

#include "packice/core/error.h"
#include "packice/p2p/content_hasher.h"

namespace packice {

// One arrival. It has the piece's place until it is over or loses it to another one that was
// whole and right before it.
class PartialPieces::Incoming final : public Arrival {
 public:
  Incoming(std::shared_ptr<PartialPieces> pieces, uint32_t piece)
      : pieces_(std::move(pieces)),
        piece_(piece),
        size_(pieces_->manifest_->PieceBytes(piece)),
        hasher_(ContentHasher::Make(pieces_->manifest_->hash)) {
    auto& taken = pieces_->in_place_;
    const bool free = std::none_of(taken.begin(), taken.end(),
                                   [piece](const auto& entry) { return entry.first == piece; });
    in_place_ = free && !pieces_->places_.empty();
    if (in_place_) taken.emplace_back(piece, this);
  }
  ~Incoming() override { GiveUpPlace(); }

  absl::Span<char> Space(size_t max) override {
    const uint64_t left = std::min<uint64_t>(max, size_ - done_);
    if (in_place_) {
      const absl::Span<char> place = Place();
      return place.first(std::min<uint64_t>(left, place.size()));
    }
    // Of one that lost its place only the hash counts from then on.
    if (aside_.empty()) aside_.resize(size_);
    return absl::MakeSpan(&aside_[done_], left);
  }

  void Filled(size_t bytes) override {
    const char* const from = in_place_ ? Place().data() : &aside_[done_];
    hasher_->Update(absl::string_view(from, bytes));
    done_ += bytes;
  }

  bool Verify() override {
    if (done_ != size_) return false;
    if (hasher_->Finish().bytes() != pieces_->manifest_->PieceDigest(piece_)) return false;
    if (pieces_->Held(piece_) || pieces_->places_.empty()) return true;
    if (!in_place_) MoveIn();
    pieces_->Keep(piece_);
    return true;
  }

  // Somebody else has the piece, or the object is sealed.
  void GiveUpPlace() {
    if (!in_place_) return;
    in_place_ = false;
    auto& taken = pieces_->in_place_;
    taken.erase(std::find(taken.begin(), taken.end(), std::make_pair(piece_, this)));
  }

 private:
  absl::Span<char> Place() {
    return pieces_->Place(pieces_->manifest_->PieceOffset(piece_) + done_);
  }

  void MoveIn() {
    for (const auto& [piece, other] : pieces_->in_place_) {
      if (piece != piece_) continue;
      other->GiveUpPlace();
      break;
    }
    const uint64_t start = pieces_->manifest_->PieceOffset(piece_);
    for (uint64_t at = 0; at < size_;) {
      const absl::Span<char> place = pieces_->Place(start + at);
      const uint64_t bytes = std::min<uint64_t>(place.size(), size_ - at);
      std::copy_n(&aside_[at], bytes, place.data());
      at += bytes;
    }
  }

  const std::shared_ptr<PartialPieces> pieces_;
  const uint32_t piece_;
  const uint64_t size_;
  const std::unique_ptr<ContentHasher> hasher_;
  uint64_t done_ = 0;
  bool in_place_ = false;
  std::string aside_;
};

PartialPieces::PartialPieces(SwarmLease lease, std::shared_ptr<const Manifest> manifest,
                             BlobView view)
    : object_id_(lease.object().id()),
      lease_(std::move(lease)),
      manifest_(std::move(manifest)),
      view_(std::move(view)),
      held_(manifest_->pieces()) {}

PartialPieces::~PartialPieces() = default;

absl::StatusOr<std::shared_ptr<PartialPieces>> PartialPieces::Make(
    SwarmLease lease, std::shared_ptr<const Manifest> manifest) {
  absl::StatusOr<BlobView> view = BlobView::Map(lease.shared_object());
  if (!view.ok()) return view.status();
  std::vector<Mapping> places;
  for (const std::shared_ptr<Blob>& blob : lease.object().blobs()) {
    if (blob->size() == 0) {
      places.emplace_back();
      continue;
    }
    absl::StatusOr<Mapping> place = blob->Map(MapAccess::kReadWrite);
    if (!place.ok()) return place.status();
    places.push_back(*std::move(place));
  }
  std::shared_ptr<PartialPieces> pieces(
      new PartialPieces(std::move(lease), std::move(manifest), *std::move(view)));
  pieces->places_ = std::move(places);
  return pieces;
}

absl::StatusOr<PieceStore::Bytes> PartialPieces::Read(uint32_t piece) {
  if (!Held(piece)) return MakeError(ErrorKind::kInternal, "a piece is read that is not here");
  return view_.Slice(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
}

PieceStore::FileRanges PartialPieces::Files(uint32_t piece) const {
  return view_.Files(manifest_->PieceOffset(piece), manifest_->PieceBytes(piece));
}

std::unique_ptr<PieceStore::Arrival> PartialPieces::Receive(uint32_t piece) {
  if (piece >= held_.size() || held_[piece] || places_.empty()) return nullptr;
  return std::make_unique<Incoming>(shared_from_this(), piece);
}

void PartialPieces::CloseForWriting() {
  while (!in_place_.empty()) in_place_.back().second->GiveUpPlace();
  places_.clear();
}

absl::Span<char> PartialPieces::Place(uint64_t offset) {
  for (const Mapping& place : places_) {
    if (offset < place.bytes().size()) return place.bytes().subspan(offset);
    offset -= place.bytes().size();
  }
  return {};
}

}  // namespace packice
