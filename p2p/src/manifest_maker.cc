#include "manifest_maker.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/p2p/content_hasher.h"

namespace packice {
namespace {

// Small enough to be still in the cache when it is hashed.
constexpr uint64_t kBuffer = 256 << 10;

// Cuts a run of bytes into pieces and collects their digests.
class PieceHasher {
 public:
  explicit PieceHasher(Manifest& manifest)
      : manifest_(manifest), hasher_(ContentHasher::Make(manifest.hash)) {}

  void Add(absl::string_view bytes) {
    while (!bytes.empty()) {
      const size_t take = std::min<uint64_t>(bytes.size(), manifest_.piece_size - in_piece_);
      hasher_->Update(bytes.substr(0, take));
      in_piece_ += take;
      bytes.remove_prefix(take);
      if (in_piece_ == manifest_.piece_size) EndPiece();
    }
  }
  void End() {
    if (in_piece_ > 0) EndPiece();
  }

 private:
  void EndPiece() {
    absl::StrAppend(&manifest_.piece_digests, hasher_->Finish().bytes());
    in_piece_ = 0;
  }

  Manifest& manifest_;
  const std::unique_ptr<ContentHasher> hasher_;
  uint64_t in_piece_ = 0;
};

absl::Status AddBlob(const Blob& blob, std::string& buffer, PieceHasher& hasher,
                     const std::atomic<bool>& stop) {
  for (uint64_t at = 0; at < blob.size();) {
    if (stop) return MakeError(ErrorKind::kUnavailable, "the node is shutting down");
    const uint64_t wanted = std::min(kBuffer, blob.size() - at);
    absl::StatusOr<size_t> n = blob.Read(at, absl::MakeSpan(&buffer[0], wanted));
    if (!n.ok()) return n.status();
    if (*n < wanted) {
      return MakeError(ErrorKind::kCorrupt,
                       absl::StrCat("a sealed blob of ", blob.size(), " bytes ends at ", at + *n));
    }
    hasher.Add(absl::string_view(buffer.data(), *n));
    at += *n;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Manifest> MakeManifest(const Object& object, absl::optional<absl::Time> expires_at,
                                      HashKind hash, const std::atomic<bool>& stop) {
  Manifest manifest;
  manifest.hash = hash;
  manifest.piece_size = Manifest::PieceSizeFor(object.size());
  for (const auto& blob : object.blobs()) manifest.blob_sizes.push_back(blob->size());
  manifest.metadata = object.metadata();
  if (expires_at.has_value()) {
    manifest.expires_at = absl::FromUnixMillis(absl::ToUnixMillis(*expires_at));
  }
  if (manifest.pieces() > Manifest::kMaxPieces) {
    return MakeError(ErrorKind::kInvalidArgument, absl::StrCat("an object of ", object.size(),
                                                               " bytes is too large to be "
                                                               "shared by pieces"));
  }
  std::string buffer(std::min(kBuffer, object.size()), '\0');
  PieceHasher hasher(manifest);
  for (const auto& blob : object.blobs()) {
    if (absl::Status status = AddBlob(*blob, buffer, hasher, stop); !status.ok()) return status;
  }
  hasher.End();
  return manifest;
}

}  // namespace packice
