#include "packice/p2p/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "packice/core/object.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// 3 blobs, 3 pieces of 1 MiB, the last one shorter.
Manifest Sample(HashKind hash = HashKind::kXxh3) {
  Manifest manifest;
  manifest.hash = hash;
  manifest.piece_size = kMiB;
  manifest.blob_sizes = {kMiB + 1, 0, kMiB + 7};
  manifest.metadata.Set("prev_objid", "null");
  manifest.metadata.Set("a", R"({"b":[1,2]})");
  manifest.expires_at = absl::FromUnixMillis(1'700'000'000'123);
  manifest.piece_digests = std::string(3 * DigestBytes(hash), 'd');
  return manifest;
}

// Where things stand in the encoded sample.
constexpr size_t kVersionAt = 0;
constexpr size_t kHashAt = 1;
constexpr size_t kPieceSizeAt = 2;
constexpr size_t kBlobsAt = 6;
constexpr size_t kFirstSizeAt = 7;
constexpr size_t kExpiresAt = kFirstSizeAt + 3 * 8;
constexpr size_t kPairsAt = kExpiresAt + 1 + 8;
constexpr size_t kFirstKeyAt = kPairsAt + 2;

std::string With(std::string encoded, size_t at, absl::string_view bytes) {
  return encoded.replace(at, bytes.size(), std::string(bytes));
}

std::string Number(uint64_t value, size_t bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text.push_back(static_cast<char>(value & 0xff));
  return text;
}

TEST(Manifest, ComesBackFromItsEncodedForm) {
  for (HashKind hash : {HashKind::kXxh3, HashKind::kSha256}) {
    const Manifest manifest = Sample(hash);
    ASSERT_OK_AND_ASSIGN(const Manifest decoded, Manifest::Decode(manifest.Encode()));
    EXPECT_EQ(decoded.hash, hash);
    EXPECT_EQ(decoded.piece_size, kMiB);
    EXPECT_EQ(decoded.blob_sizes, manifest.blob_sizes);
    EXPECT_EQ(decoded.metadata, manifest.metadata);
    EXPECT_EQ(decoded.expires_at, manifest.expires_at);
    EXPECT_EQ(decoded.piece_digests, manifest.piece_digests);
    EXPECT_EQ(decoded.Digest(), manifest.Digest());
  }
}

TEST(Manifest, AnEmptyObjectHasOneToo) {
  Manifest manifest;
  manifest.blob_sizes = {0};
  ASSERT_OK_AND_ASSIGN(const Manifest decoded, Manifest::Decode(manifest.Encode()));
  EXPECT_EQ(decoded.pieces(), 0u);
  EXPECT_EQ(decoded.expires_at, absl::nullopt);
}

TEST(Manifest, TheLargestOneIsAccepted) {
  Manifest manifest;
  manifest.hash = HashKind::kSha256;
  manifest.piece_size = Manifest::kMaxPieceBytes;
  manifest.blob_sizes = {Manifest::kMaxPieceBytes * Manifest::kMaxPieces};
  manifest.piece_digests = std::string(32 * size_t{Manifest::kMaxPieces}, 'd');
  EXPECT_THAT(Manifest::Decode(manifest.Encode()), IsOk());

  manifest.blob_sizes.push_back(1);
  manifest.piece_digests += std::string(32, 'd');
  EXPECT_THAT(Manifest::Decode(manifest.Encode()), HasKind(ErrorKind::kInvalidArgument));
}

// The bytes are a promise to nodes of other versions: this changes only with the version.
TEST(Manifest, HasTheseBytes) {
  Manifest manifest;
  manifest.blob_sizes = {3};
  manifest.metadata.Set("k", "1");
  manifest.expires_at = absl::FromUnixMillis(258);
  manifest.piece_digests = "0123456789abcdef";
  EXPECT_EQ(manifest.Encode(),
            std::string("\x01\x01\x00\x00\x01\x00"                   // version, hash, pieces
                        "\x01\x03\x00\x00\x00\x00\x00\x00\x00"       // blobs
                        "\x01\x02\x01\x00\x00\x00\x00\x00\x00"       // expires_at
                        "\x01\x00\x01\x00\x00\x00k\x01\x00\x00\x00"  // metadata
                        "1"
                        "0123456789abcdef",
                        52));
}

TEST(Manifest, EveryByteChangesTheDigest) {
  const Manifest manifest = Sample();
  Manifest other = manifest;
  other.metadata.Set("a", "1");
  EXPECT_NE(other.Digest(), manifest.Digest());
  other = manifest;
  other.expires_at = absl::nullopt;
  EXPECT_NE(other.Digest(), manifest.Digest());
  other = manifest;
  other.blob_sizes = {kMiB, 1, kMiB + 7};
  EXPECT_NE(other.Digest(), manifest.Digest());
}

TEST(Manifest, WhatIsCutOffIsRefused) {
  const std::string encoded = Sample().Encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_THAT(Manifest::Decode(encoded.substr(0, size)), HasKind(ErrorKind::kInvalidArgument))
        << size << " bytes";
  }
  EXPECT_THAT(Manifest::Decode(encoded + "x"), HasKind(ErrorKind::kInvalidArgument));
}

TEST(Manifest, AnotherVersionIsUnsupported) {
  EXPECT_THAT(Manifest::Decode(With(Sample().Encode(), kVersionAt, "\x02")),
              HasKind(ErrorKind::kUnsupported));
}

TEST(Manifest, WhatEncodeDoesNotMakeIsRefused) {
  const std::string sample = Sample().Encode();
  const struct {
    const char* what;
    size_t at;
    std::string bytes;
  } kCases[] = {
      {"no hash function", kHashAt, Number(0, 1)},
      {"an unknown hash function", kHashAt, Number(3, 1)},
      {"pieces of nothing", kPieceSizeAt, Number(0, 4)},
      {"pieces too small", kPieceSizeAt, Number(Manifest::kMinPieceBytes / 2, 4)},
      {"pieces too large", kPieceSizeAt, Number(Manifest::kMaxPieceBytes * 2, 4)},
      {"an odd size of pieces", kPieceSizeAt, Number(kMiB - 1, 4)},
      {"no blobs", kBlobsAt, Number(0, 1)},
      {"too many blobs", kBlobsAt, Number(Object::kMaxBlobs + 1, 1)},
      {"a size beyond all bounds", kFirstSizeAt, Number(std::numeric_limits<uint64_t>::max(), 8)},
      {"sizes whose sum overflows", kFirstSizeAt,
       Number(std::numeric_limits<uint64_t>::max(), 8) + Number(kMiB, 8)},
      {"a piece more than digests", kFirstSizeAt, Number(3 * kMiB, 8)},
      {"a piece fewer than digests", kFirstSizeAt, Number(1, 8)},
      {"neither with nor without expiry", kExpiresAt, Number(2, 1)},
      {"absurdly many keys", kPairsAt, Number(0xffff, 2)},
      {"an absurdly long key", kFirstKeyAt, Number(0xffffffff, 4)},
      {"keys out of order", kFirstKeyAt + 4, "z"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(Manifest::Decode(With(sample, c.at, c.bytes)), HasKind(ErrorKind::kInvalidArgument))
        << c.what;
  }
}

TEST(Manifest, AKeyComesOnce) {
  Manifest manifest = Sample();
  manifest.metadata = {};
  manifest.metadata.Set("a", "1");
  manifest.metadata.Set("b", "1");
  const std::string encoded = manifest.Encode();
  const size_t second = encoded.find("b");
  EXPECT_THAT(Manifest::Decode(With(encoded, second, "a")), HasKind(ErrorKind::kInvalidArgument));
}

// Its text goes to clients as it is.
TEST(Manifest, MetadataIsJson) {
  for (const char* value : {"", "1,\"ok\":false", "{\"a\":}", "\"\xff\""}) {
    Manifest manifest = Sample();
    manifest.metadata.Set("a", value);
    EXPECT_THAT(Manifest::Decode(manifest.Encode()), HasKind(ErrorKind::kInvalidArgument)) << value;
  }
}

TEST(Manifest, MetadataHasABound) {
  Manifest manifest = Sample();
  manifest.metadata.Set("long", std::string(Metadata::kMaxBytes, '1'));
  EXPECT_THAT(Manifest::Decode(manifest.Encode()), HasKind(ErrorKind::kInvalidArgument));
}

TEST(Manifest, PiecesAreAPowerOfTwoNearA256th) {
  EXPECT_EQ(Manifest::PieceSizeFor(0), Manifest::kMinPieceBytes);
  EXPECT_EQ(Manifest::PieceSizeFor(16 * kMiB), 64u << 10);
  EXPECT_EQ(Manifest::PieceSizeFor(16 * kMiB + 1), 128u << 10);
  EXPECT_EQ(Manifest::PieceSizeFor(256 * kMiB), kMiB);
  EXPECT_EQ(Manifest::PieceSizeFor(uint64_t{1} << 40), Manifest::kMaxPieceBytes);
}

TEST(Manifest, PiecesRunOverAllBlobs) {
  const Manifest manifest = Sample();
  EXPECT_EQ(manifest.pieces(), 3u);
  EXPECT_EQ(manifest.PieceBytes(1), kMiB);
  EXPECT_EQ(manifest.PieceOffset(2), 2 * kMiB);
  EXPECT_EQ(manifest.PieceBytes(2), 8u);
}

}  // namespace
}  // namespace packice
