#include "cli/swarm_json.h"

#include "packice/core/error.h"
#include "packice/transport/json_object.h"

namespace packice::cli {

std::string MemberJson(const Member& member) {
  return JsonObject()
      .Text("address", member.address)
      .Text("gossip_address", member.gossip_address)
      .Text("state", MemberStateName(member.state))
      .Text("zone", member.zone)
      .Text("role", member.role)
      .Number("load", member.load)
      .Seconds("age_seconds", member.age)
      .ToText();
}

std::string TrackerJson(const TrackerDirectory::TrackerState& tracker) {
  JsonObject json;
  json.Text("address", tracker.address)
      .Text("gossip_address", "")
      .Text("state", MemberStateName(tracker.reachable ? MemberState::kAlive : MemberState::kDead))
      .Text("zone", "")
      .Text("role", "tracker")
      .Number("load", 0)
      .Seconds("age_seconds", tracker.last_answer);
  if (!tracker.reachable) return json.Text("failure", tracker.failure).ToText();
  return json.Integer("nodes", tracker.stats.nodes)
      .Integer("objects", tracker.stats.objects)
      .Integer("holdings", tracker.stats.holdings)
      .Seconds("uptime_seconds", tracker.stats.uptime)
      .ToText();
}

std::string LocationJson(const ObjectId& object_id, const Location& location) {
  std::vector<std::string> holders;
  for (const Holder& holder : location.holders) {
    holders.push_back(JsonObject()
                          .Text("address", holder.address)
                          .Text("zone", holder.zone)
                          .Flag("complete", holder.complete)
                          .Integer("pieces_held", holder.pieces_held)
                          .Integer("pieces", location.pieces)
                          .Number("load", holder.load)
                          .Seconds("age_seconds", holder.age)
                          .ToText());
  }
  JsonObject json;
  json.Text("object_id", object_id.bytes());
  if (location.digest.empty()) {
    json.Json("digest", "null");
  } else {
    json.Text("digest", location.digest.ToText());
  }
  return json.Integer("size", location.size)
      .Integer("pieces", location.pieces)
      .List("holders", holders)
      .ToText();
}

std::string TransferJson(const TransferInfo& transfer) {
  return JsonObject()
      .Text("object_id", transfer.object_id.bytes())
      .Text("peer", transfer.peer)
      .Text("direction", transfer.upload ? "up" : "down")
      .Integer("bytes", transfer.bytes)
      .Number("rate", transfer.rate)
      .Integer("in_flight", transfer.in_flight)
      .ToText();
}

std::string DownloadJson(const DownloadInfo& download) {
  return JsonObject()
      .Text("object_id", download.object_id.bytes())
      .Integer("size", download.size)
      .Integer("bytes_done", download.bytes_done)
      .Integer("sources", download.sources)
      .Number("rate", download.rate)
      .Flag("from_origin", download.from_origin)
      .ToText();
}

std::string ErrorJson(const absl::Status& failure) {
  return JsonObject()
      .Text("kind", InfoOf(KindOf(failure)).name)
      .Text("message", failure.message())
      .ToText();
}

std::string RemovalJson(const SwarmPeer::Removal& removal) {
  JsonObject json;
  json.Text("holder", removal.holder);
  if (removal.result.ok()) return json.Text("status", "discarded").ToText();
  return json.Json("error", ErrorJson(removal.result)).ToText();
}

}  // namespace packice::cli
