#include "packice/p2p/content_digest.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

absl::string_view HashKindName(HashKind kind) {
  return kind == HashKind::kXxh3 ? "xxh3" : "sha256";
}

size_t DigestBytes(HashKind kind) { return kind == HashKind::kXxh3 ? 16 : 32; }

ContentDigest::ContentDigest(HashKind kind, absl::string_view bytes)
    : kind_(kind), size_(static_cast<uint8_t>(bytes.size())) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

absl::StatusOr<ContentDigest> ContentDigest::Decode(absl::string_view encoded) {
  if (encoded.empty()) return ContentDigest();
  const auto kind = static_cast<HashKind>(static_cast<uint8_t>(encoded.front()));
  const bool known = kind == HashKind::kXxh3 || kind == HashKind::kSha256;
  if (!known || encoded.size() != 1 + DigestBytes(kind)) {
    return MakeError(ErrorKind::kInvalidArgument, "not the digest of an object's content");
  }
  return ContentDigest(kind, encoded.substr(1));
}

std::string ContentDigest::Encode() const {
  if (empty()) return "";
  return absl::StrCat(std::string(1, static_cast<char>(kind_)), bytes());
}

std::string ContentDigest::ToText() const {
  return empty() ? "" : absl::StrCat(HashKindName(kind_), ":", absl::BytesToHexString(bytes()));
}

}  // namespace packice
