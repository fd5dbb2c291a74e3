// Makes frames of a link's bytes, however they are cut. Keeps no more of them than one frame needs
// that is not whole yet, and of a piece's payload nothing. Owned by a link; thread-compatible.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "frame_codec.h"
#include "packice/p2p/frame.h"

namespace packice {

// Which end of a link this node is.
enum class LinkSide { kDialled, kAccepted };

class FrameParser {
 public:
  // What the other end may send depends on the side: only who dialled opens channels.
  explicit FrameParser(LinkSide side) : side_(side) {}

  // The answer to this channel's OPEN may hold a manifest: only then it may be that long.
  void AwaitManifest(uint32_t channel) { awaited_.insert(channel); }
  void ForgetManifest(uint32_t channel) { awaited_.erase(channel); }

  // Takes bytes from the front: up to the end of a frame, which it returns, or all of them. After a
  // piece's frame come its payload's bytes, which are the caller's to take. Once it failed, the
  // link is of no more use: `invalid_argument`, `unsupported`.
  absl::StatusOr<absl::optional<Frame>> Next(absl::string_view& bytes);

  // A frame has begun and is not whole.
  bool in_frame() const { return header_.has_value() || !partial_.empty(); }

 private:
  absl::Status ReadHeader(absl::string_view bytes);

  const LinkSide side_;
  absl::flat_hash_set<uint32_t> awaited_;
  absl::optional<FrameHeader> header_;
  size_t body_bytes_ = 0;  // that come before the frame is whole
  std::string partial_;    // of a header or a body
};

}  // namespace packice
