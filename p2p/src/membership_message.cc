#include "membership_message.h"

namespace packice {
namespace {

// Tags, lengths, and numbers at their longest as protobuf encodes them.
constexpr size_t kEnvelopeBytes = 48;
constexpr size_t kUpdateBytes = 48;
constexpr size_t kBroadcastBytes = 4;

struct BodyBytes {
  size_t operator()(const GossipMessage&) const { return 0; }
  size_t operator()(const PingMessage& ping) const { return 24 + ping.target.size(); }
  size_t operator()(const AckMessage&) const { return 16; }
  size_t operator()(const PingRequestMessage& request) const { return 24 + request.target.size(); }
  size_t operator()(const NackMessage&) const { return 16; }
  size_t operator()(const DigestMessage& digest) const { return 8 + 8 * digest.sums.size(); }
  size_t operator()(const StateMessage& state) const {
    size_t bytes = 24 + state.covered.size() / 8;
    for (const MemberUpdate& member : state.members) bytes += WireBytes(member);
    return bytes;
  }
};

}  // namespace

size_t WireBytes(const MemberUpdate& update) {
  const MemberMetadata& metadata = update.statement->metadata();
  return kUpdateBytes + update.statement->address().size() + metadata.transfer_address.size() +
         metadata.zone.size() + metadata.role.size();
}

size_t WireBytes(const std::string& broadcast) { return kBroadcastBytes + broadcast.size(); }

size_t WireBytes(const MembershipMessage& message) {
  size_t bytes = kEnvelopeBytes + absl::visit(BodyBytes(), message.body);
  for (const MemberUpdate& update : message.updates) bytes += WireBytes(update);
  for (const std::string& broadcast : message.broadcasts) bytes += WireBytes(broadcast);
  return bytes;
}

}  // namespace packice
