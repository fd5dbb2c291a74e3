// The bytes of frames: docs/protocol-p2p.md. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/p2p/frame.h"
#include "packice/p2p/manifest.h"

namespace packice {

// The values are those on the wire.
enum class FrameType : uint8_t {
  kOpen = 1,
  kOpened,
  kRefused,
  kRequest,
  kPiece,
  kHave,
  kCancel,
  kClose,
  kDiscard,
  kDiscarded,
};

// What comes before each frame's body.
struct FrameHeader {
  static constexpr size_t kBytes = 9;

  FrameType type = FrameType::kClose;
  uint32_t length = 0;  // bytes of the body; of a piece with its payload
  uint32_t channel = 0;
};

// Of a piece's body, before the payload.
inline constexpr size_t kPieceNumberBytes = 4;
inline constexpr uint32_t kMaxBodyBytes = 1 << 20;
// An OPENED whose manifest was asked for may be longer: digests, metadata with its lengths, sizes
// of blobs, a bit for each piece and addresses.
inline constexpr uint32_t kMaxOpenedBytes =
    Manifest::kMaxPieces * ContentDigest::kMaxBytes + (1 << 20);
inline constexpr size_t kMaxAddressBytes = 255;
inline constexpr size_t kMaxAlternatives = 255;

// Appends the frame; of a piece all but the payload. Lists of addresses are cut to what a frame
// holds. Requires: no more pieces in a list than a manifest may have.
void EncodeFrame(const Frame& frame, std::string& out);

// Requires: FrameHeader::kBytes. `unsupported` for a type that this node does not know;
// `invalid_argument` for a length that no frame of its type has.
absl::StatusOr<FrameHeader> DecodeFrameHeader(absl::string_view bytes);

// Takes only what EncodeFrame makes: `invalid_argument` for anything else. Of a piece the body is
// its number alone.
absl::StatusOr<Frame> DecodeFrameBody(const FrameHeader& header, absl::string_view body);

// Whether it can stand for an address in a frame: not too long, printable, without spaces.
bool IsPlainAddress(absl::string_view address);

}  // namespace packice
