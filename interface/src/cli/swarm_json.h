// A swarm's members, holders and transfers as the JSON that a node answers (docs/protocol.md). Pure
// functions.
#pragma once

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "packice/core/object_id.h"
#include "packice/p2p/directory.h"
#include "packice/p2p/gossip_node.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/tracker_directory.h"
#include "packice/p2p/transfer_engine.h"

namespace packice::cli {

std::string MemberJson(const Member& member);
// A tracker as a member, with what it counts.
std::string TrackerJson(const TrackerDirectory::TrackerState& tracker);

std::string LocationJson(const ObjectId& object_id, const Location& location);

std::string TransferJson(const TransferInfo& transfer);
std::string DownloadJson(const DownloadInfo& download);

std::string RemovalJson(const SwarmPeer::Removal& removal);

// {"kind":...,"message":...}
std::string ErrorJson(const absl::Status& failure);

}  // namespace packice::cli
