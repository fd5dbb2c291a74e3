#include "packice/backends/piece_hash.h"

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // instead of xxhash.h: AVX2 and AVX-512 where the machine has them
#else
#include <xxhash.h>
#endif

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

// How much is read at a time: what stays in a core's cache until it is hashed.
constexpr size_t kChunkBytes = 256 << 10;

Digest Canonical(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Digest digest;
  static_assert(sizeof(canonical.digest) == sizeof(digest));
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

// Reads and hashes one piece, chunk by chunk.
class PieceReader {
 public:
  PieceReader(int fd, uint64_t size)
      : fd_(fd),
        chunk_(static_cast<size_t>(std::min<uint64_t>(size, kChunkBytes))),
        buffer_(new char[chunk_]),
        state_(size > chunk_ ? XXH3_createState() : nullptr, &XXH3_freeState) {}

  absl::StatusOr<Digest> Sum(uint64_t from, uint64_t end) {
    if (end - from <= chunk_) {
      if (absl::Status status = Fill(from, end - from); !status.ok()) return status;
      return HashPiece(absl::string_view(buffer_.get(), end - from));
    }
    XXH3_128bits_reset(state_.get());
    for (uint64_t at = from; at < end; at += chunk_) {
      const uint64_t length = std::min<uint64_t>(chunk_, end - at);
      if (absl::Status status = Fill(at, length); !status.ok()) return status;
      XXH3_128bits_update(state_.get(), buffer_.get(), length);
    }
    return Canonical(XXH3_128bits_digest(state_.get()));
  }

 private:
  absl::Status Fill(uint64_t at, uint64_t length) {
    absl::StatusOr<size_t> got = ReadAt(fd_, at, absl::MakeSpan(buffer_.get(), length));
    if (!got.ok()) return got.status();
    if (*got == length) return absl::OkStatus();
    return MakeError(ErrorKind::kCorrupt, absl::StrCat("a file ends after ", at + *got,
                                                       " bytes, sooner than it should"));
  }

  const int fd_;
  const size_t chunk_;
  const std::unique_ptr<char[]> buffer_;
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

}  // namespace

Digest HashPiece(absl::string_view bytes) {
  return Canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

// With pread(2): a mapping is hashed 1.6 times as fast when all is in memory, but a disk that fails
// or a file that somebody cuts short would then end the process (SIGBUS) instead of the call.
absl::StatusOr<PieceSums> SumFile(int fd, uint64_t size) {
  PieceSums sums;
  sums.pieces.reserve(
      static_cast<size_t>((size + PieceSums::kPieceBytes - 1) / PieceSums::kPieceBytes));
  PieceReader reader(fd, size);
  for (uint64_t from = 0; from < size; from += PieceSums::kPieceBytes) {
    absl::StatusOr<Digest> digest = reader.Sum(from, std::min(size, from + PieceSums::kPieceBytes));
    if (!digest.ok()) return digest.status();
    sums.pieces.push_back(*digest);
  }
  return sums;
}

std::vector<uint64_t> DifferingPieces(const PieceSums& a, const PieceSums& b) {
  std::vector<uint64_t> differing;
  const size_t pieces = std::max(a.pieces.size(), b.pieces.size());
  for (size_t i = 0; i < pieces; ++i) {
    if (i >= a.pieces.size() || i >= b.pieces.size() || a.pieces[i] != b.pieces[i]) {
      differing.push_back(i);
    }
  }
  return differing;
}

std::string ListOfPieces(const std::vector<uint64_t>& indices) {
  constexpr size_t kShown = 10;
  const size_t shown = std::min(indices.size(), kShown);
  const auto end = indices.begin() + static_cast<std::ptrdiff_t>(shown);
  return absl::StrCat(absl::StrJoin(indices.begin(), end, ", "),
                      shown < indices.size() ? ", ..." : "");
}

}  // namespace packice
