// The messages of piece transfer as values; docs/protocol-p2p.md has the bytes. Plain values.
//
// A link is a connection between two nodes. Whoever dialled it opens channels on it, each for one
// object that it wants to read; the other side answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/variant.h"
#include "packice/core/error.h"
#include "packice/core/object_id.h"
#include "packice/p2p/content_digest.h"

namespace packice {

enum class RefusalReason : uint8_t {
  kNotHeld = 1,   // not, or not any more
  kOtherContent,  // another content under that id
  kBusy,          // too many readers; ask again after `retry_after`, or somebody else
  kShuttingDown,
  kFailing,  // the medium fails
};

// Reader to holder: I want to read this. The holder takes a READ lease of its own for as long as
// the channel is open, or refuses.
struct OpenFrame {
  uint32_t channel = 0;  // chosen by the reader, not in use on this link
  ObjectId object_id;
  ContentDigest digest;
  bool want_manifest = true;
  // Pieces from the first on, up to so many bytes, follow the answer unasked.
  uint32_t eager_bytes = 0;
  // Where the reader itself can be asked for what it will have of it; empty: nowhere.
  std::string reader_address;
};
struct OpenedFrame {
  uint32_t channel = 0;
  std::string manifest;                   // encoded; empty where it was not wanted
  std::vector<bool> held;                 // empty: all
  std::vector<std::string> alternatives;  // addresses of others that have it or read it
};
struct RefusedFrame {
  uint32_t channel = 0;
  RefusalReason reason = RefusalReason::kNotHeld;
  absl::Duration retry_after;
  std::vector<std::string> alternatives;
};
struct RequestFrame {
  uint32_t channel = 0;
  std::vector<uint32_t> pieces;
};
// Holder to reader. The bytes follow.
struct PieceFrame {
  uint32_t channel = 0;
  uint32_t piece = 0;
  uint32_t bytes = 0;
};
// Holder to reader: I have these, too.
struct HaveFrame {
  uint32_t channel = 0;
  std::vector<uint32_t> pieces;
};
// Reader to holder: I do not want these any more. They may be on their way already.
struct CancelFrame {
  uint32_t channel = 0;
  std::vector<uint32_t> pieces;
};
// Either way: the channel is over.
struct CloseFrame {
  uint32_t channel = 0;
};
// Takes the object away wherever it is held; answered by DiscardedFrame of the same channel.
struct DiscardFrame {
  uint32_t channel = 0;
  ObjectId object_id;
};
struct DiscardedFrame {
  uint32_t channel = 0;
  bool ok = true;
  ErrorKind kind = ErrorKind::kInternal;  // where not ok
};

// Of PieceFrame only the header: the network moves the bytes.
using Frame = absl::variant<OpenFrame, OpenedFrame, RefusedFrame, RequestFrame, PieceFrame,
                            HaveFrame, CancelFrame, CloseFrame, DiscardFrame, DiscardedFrame>;

}  // namespace packice
