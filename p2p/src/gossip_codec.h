// Messages of the membership as protobuf. Whatever comes from outside is checked here: what is not
// well-formed is dropped. Pure functions.
#pragma once

#include "absl/types/optional.h"
#include "membership_message.h"
#include "packice/proto/gossip.pb.h"

namespace packice {

void Encode(const MembershipMessage& message, gossip::v1::Message& out);

// Nothing where it is not a message of this protocol.
absl::optional<MembershipMessage> Decode(const gossip::v1::Message& message);

}  // namespace packice
