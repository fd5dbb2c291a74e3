// The bytes of a manifest (docs/protocol-p2p.md). What Decode accepts, Encode gives back byte for
// byte: the digest of those bytes names the content, so no content may have two names.
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "json_text.h"
#include "packice/core/error.h"
#include "packice/core/object.h"
#include "packice/p2p/manifest.h"
#include "wire_reader.h"
#include "wire_writer.h"

namespace packice {
namespace {

constexpr uint8_t kVersion = 1;

absl::Status Invalid(absl::string_view why) {
  return MakeError(ErrorKind::kInvalidArgument, absl::StrCat("not a manifest: ", why));
}

absl::Status ReadHead(WireReader& in, Manifest& manifest) {
  manifest.hash = static_cast<HashKind>(in.U8());
  if (manifest.hash != HashKind::kXxh3 && manifest.hash != HashKind::kSha256) {
    return Invalid("it names no hash function that there is");
  }
  manifest.piece_size = in.U32();
  const uint64_t piece = manifest.piece_size;
  if (piece < Manifest::kMinPieceBytes || piece > Manifest::kMaxPieceBytes ||
      (piece & (piece - 1)) != 0) {
    return Invalid("the size of its pieces is no power of two, or out of range");
  }
  return absl::OkStatus();
}

absl::Status ReadBlobSizes(WireReader& in, Manifest& manifest) {
  const size_t blobs = in.U8();
  if (blobs == 0 || blobs > Object::kMaxBlobs) return Invalid("no such number of blobs");
  // Together, so the sum cannot overflow either.
  uint64_t room = manifest.piece_size * Manifest::kMaxPieces;
  for (size_t i = 0; i < blobs; ++i) {
    const uint64_t size = in.U64();
    if (size > room) return Invalid("it has too many pieces");
    room -= size;
    manifest.blob_sizes.push_back(size);
  }
  return absl::OkStatus();
}

absl::Status ReadExpiry(WireReader& in, Manifest& manifest) {
  const uint8_t expires = in.U8();
  if (expires > 1) return Invalid("neither with nor without an end of its life");
  if (expires == 1) {
    manifest.expires_at = absl::FromUnixMillis(static_cast<int64_t>(in.U64()));
  }
  return absl::OkStatus();
}

absl::Status ReadMetadata(WireReader& in, Metadata& metadata) {
  const size_t pairs = in.U16();
  absl::string_view previous;
  for (size_t i = 0; i < pairs && in.ok(); ++i) {
    const absl::string_view key = in.Bytes32();
    const absl::string_view value = in.Bytes32();
    if (i > 0 && key <= previous) return Invalid("the keys of its metadata are not in order");
    if (in.ok() && !IsJsonText(value)) return Invalid("its metadata is no JSON");
    previous = key;
    metadata.Set(key, value);
  }
  if (!in.ok()) return Invalid("it is cut off");
  return metadata.CheckSize();
}

}  // namespace

std::string Manifest::Encode() const {
  std::string encoded;
  encoded.reserve(256 + piece_digests.size());
  WireWriter out(encoded);
  out.U8(kVersion);
  out.U8(static_cast<uint8_t>(hash));
  out.U32(static_cast<uint32_t>(piece_size));
  out.U8(static_cast<uint8_t>(blob_sizes.size()));
  for (uint64_t size : blob_sizes) out.U64(size);
  out.U8(expires_at ? 1 : 0);
  if (expires_at) out.U64(static_cast<uint64_t>(absl::ToUnixMillis(*expires_at)));
  out.U16(static_cast<uint16_t>(metadata.values().size()));
  for (const auto& [key, value] : metadata.values()) {
    out.Bytes32(key);
    out.Bytes32(value);
  }
  out.Bytes(piece_digests);
  return encoded;
}

absl::StatusOr<Manifest> Manifest::Decode(absl::string_view encoded) {
  WireReader in(encoded);
  const uint8_t version = in.U8();
  if (!in.ok()) return Invalid("it is empty");
  if (version != kVersion) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("a manifest of version ", version, ", and this node knows only ",
                                  kVersion, ": update the older of the two nodes"));
  }
  Manifest manifest;
  if (absl::Status status = ReadHead(in, manifest); !status.ok()) return status;
  if (absl::Status status = ReadBlobSizes(in, manifest); !status.ok()) return status;
  if (absl::Status status = ReadExpiry(in, manifest); !status.ok()) return status;
  if (absl::Status status = ReadMetadata(in, manifest.metadata); !status.ok()) return status;
  manifest.piece_digests = std::string(in.Bytes(manifest.pieces() * DigestBytes(manifest.hash)));
  if (!in.done()) return Invalid("it has not one digest for each piece");
  return manifest;
}

}  // namespace packice
