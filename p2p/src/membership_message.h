// What members of a fleet say to each other, as values; gossip_codec.h has their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/variant.h"
#include "member_statement.h"
#include "packice/p2p/gossip_node.h"

namespace packice {

// A member is `state` at the incarnation of `statement`. Of two updates on one member the one with
// the higher incarnation holds, of those with the same the one with the later state: all who have
// heard the same updates believe the same, in whatever order they came.
struct MemberUpdate {
  StatementRef statement;
  MemberState state = MemberState::kAlive;
  // Of a suspicion: AddressHash of who suspects on its own account; 0 is only hearsay.
  uint64_t accuser = 0;
};

// Are you there? Answered by AckMessage. `target` is who is meant: another process may have come
// to its address.
struct PingMessage {
  uint64_t sequence = 0;
  std::string target;
};
struct AckMessage {
  uint64_t sequence = 0;
};
// Ping `target` for me. Answered by AckMessage if it answers, else by NackMessage: I am there, but
// it is not.
struct PingRequestMessage {
  uint64_t sequence = 0;
  std::string target;
};
struct NackMessage {
  uint64_t sequence = 0;
};
// Nothing but its updates.
struct GossipMessage {};
// What I know, as a sum for each bucket of members; answered by StateMessage unless all are equal.
struct DigestMessage {
  static constexpr uint32_t kMaxBuckets = 256;

  std::vector<uint64_t> sums;  // a power of two of them, at most kMaxBuckets
};
// All I know of the members of the covered buckets.
struct StateMessage {
  std::vector<bool> covered;  // a power of two of buckets
  std::vector<MemberUpdate> members;
  bool wants_answer = false;  // what is newer in the covered buckets is to be told back
  bool more = false;          // other buckets differ, too
};

struct MembershipMessage {
  using Body = absl::variant<GossipMessage, PingMessage, AckMessage, PingRequestMessage,
                             NackMessage, DigestMessage, StateMessage>;

  MembershipMessage() = default;
  explicit MembershipMessage(Body content) : body(std::move(content)) {}

  Body body;
  // What else is new: members, and what users of the membership spread.
  std::vector<MemberUpdate> updates;
  std::vector<std::string> broadcasts;
};

// No less than the bytes that it takes in an envelope.
size_t WireBytes(const MemberUpdate& update);
size_t WireBytes(const std::string& broadcast);
size_t WireBytes(const MembershipMessage& message);

}  // namespace packice
