// What two nodes say to each other before the first frame: who they are, and that they know the
// fleet's token, without telling it. Pure: bytes in, bytes out. Used by one link, at its start;
// thread-compatible. The bytes stand in docs/protocol-p2p.md.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frame_parser.h"
#include "packice/core/error.h"
#include "packice/core/random.h"

namespace packice {

// What a node tells of itself.
struct Hello {
  static constexpr uint16_t kVersion = 1;
  static constexpr size_t kNonceBytes = 32;

  uint16_t min_version = kVersion;
  uint16_t max_version = kVersion;
  uint64_t epoch = 0;         // chosen at random when the node starts
  uint64_t capabilities = 0;  // bits; none has a meaning yet
  std::string nonce;          // chosen for this link
  std::string cluster;        // at most 255 bytes
  std::string address;        // where it gives pieces; empty: nowhere
};

class Handshake {
 public:
  static constexpr size_t kMaxMessageBytes = 1024;
  static constexpr size_t kMaxClusterBytes = 255;

  // `self` without a nonce.
  Handshake(LinkSide side, Hello self, std::string token, RandomSource& random);

  // Whatever the other end says, it will be refused for this reason.
  void TurnAway(absl::Status why) { turn_away_ = std::move(why); }

  // What to send before anything has come.
  std::string Begin() const;

  // Takes bytes from the front, as far as they belong to the handshake; appends to `answer` what
  // to send for it, in any case. True: it is over, and the link can be used. `permission_denied`
  // for another cluster or token, `unsupported` for other versions, `invalid_argument` for what is
  // no handshake at all, and what the other node refuses with.
  absl::StatusOr<bool> Take(absl::string_view& bytes, std::string& answer);

  // Once it is over.
  const Hello& peer() const { return peer_; }

 private:
  absl::StatusOr<bool> TakeMessage(std::string& answer);
  absl::Status TakeHello(absl::string_view body);
  absl::Status CheckProof(absl::string_view body) const;
  std::string ProofOf(LinkSide side) const;

  const LinkSide side_;
  const std::string token_;
  const Hello self_;
  absl::Status turn_away_;
  Hello peer_;
  std::string peer_hello_;  // empty: has not come yet
  std::string partial_;     // a message that is not whole yet
};

}  // namespace packice
