// members, locate, peers: who is there, who holds what, who gives what to whom.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/swarm_json.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/tracker_client.h"
#include "packice/core/error.h"
#include "packice/core/latch.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"

namespace packice::cli {
namespace {

using JsonOr = absl::StatusOr<JsonValue>;

// An operation of the node's part in a swarm.
JsonOr Ask(const Target& target, absl::string_view op, const std::string& request) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(target);
  if (!client.ok()) return client.status();
  absl::StatusOr<std::string> answer = (*client)->Call(op, request);
  if (!answer.ok()) return answer.status();
  return JsonValue::Parse(*answer);
}

std::string TextOf(const JsonValue& value) {
  return value.text().empty() ? "-" : Printable(value.text());
}

std::string SinceText(const JsonValue& seconds) {
  const absl::optional<double> value = seconds.number();
  return value.has_value() ? DurationText(absl::Seconds(*value)) : "-";
}

std::string PartText(const JsonValue& part) {
  return absl::StrFormat("%.0f %%", 100 * part.number().value_or(0));
}

std::string BytesText(const JsonValue& bytes) {
  return SizeText(static_cast<uint64_t>(bytes.number().value_or(0)));
}

std::string RateText(const JsonValue& rate) { return absl::StrCat(BytesText(rate), "/s"); }

absl::Status PrintLines(absl::Span<const JsonValue> values) {
  std::string lines;
  for (const JsonValue& value : values) absl::StrAppend(&lines, value.ToText(), "\n");
  return Print(lines);
}

// --- members

JsonOr TrackersAsMembers(const TrackerAccess& access) {
  absl::StatusOr<std::unique_ptr<TrackerDirectory>> directory = DialTracker(access);
  if (!directory.ok()) return directory.status();
  std::vector<std::string> members;
  for (const TrackerDirectory::TrackerState& tracker : (*directory)->Trackers()) {
    if (!tracker.failure.empty()) {
      // One that can be reached and tells nothing refuses.
      return MakeError(tracker.reachable ? ErrorKind::kPermissionDenied : ErrorKind::kUnavailable,
                       absl::StrCat("the tracker ", tracker.address, ": ", tracker.failure));
    }
    members.push_back(TrackerJson(tracker));
  }
  return JsonValue::Parse(JsonObject().List("members", members).ToText());
}

std::string MemberTable(absl::Span<const JsonValue> members) {
  Table table({{"ADDRESS", Align::kLeft},
               {"GOSSIP", Align::kLeft},
               {"STATE", Align::kLeft},
               {"FOR", Align::kRight},
               {"ROLE", Align::kLeft},
               {"ZONE", Align::kLeft},
               {"LOAD", Align::kRight}});
  for (const JsonValue& member : members) {
    table.Add({TextOf(member["address"]), TextOf(member["gossip_address"]), TextOf(member["state"]),
               SinceText(member["age_seconds"]), TextOf(member["role"]), TextOf(member["zone"]),
               PartText(member["load"])});
  }
  return table.Format();
}

// A tracker tells how many there are, not who.
std::string TrackerTable(absl::Span<const JsonValue> trackers) {
  Table table({{"TRACKER", Align::kLeft},
               {"STATE", Align::kLeft},
               {"UP", Align::kRight},
               {"NODES", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"HOLDINGS", Align::kRight}});
  for (const JsonValue& tracker : trackers) {
    table.Add({TextOf(tracker["address"]), TextOf(tracker["state"]),
               SinceText(tracker["uptime_seconds"]), TextOf(tracker["nodes"]),
               TextOf(tracker["objects"]), TextOf(tracker["holdings"])});
  }
  return table.Format();
}

// --- locate

JsonOr LocateByTracker(const TrackerAccess& access, const ObjectId& id) {
  absl::StatusOr<std::unique_ptr<TrackerDirectory>> directory = DialTracker(access);
  if (!directory.ok()) return directory.status();
  Latch latch;
  absl::StatusOr<Location> found;
  LocateRequest request;
  request.object_id = id;
  request.max = LocateRequest::kLimit;
  (*directory)->Locate(std::move(request), [&](absl::StatusOr<Location> location) {
    found = std::move(location);
    latch.Set();
  });
  latch.Wait();
  if (!found.ok()) return found.status();
  if (found->digest.empty()) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("nobody holds ", id.ToQuoted()));
  }
  return JsonValue::Parse(LocationJson(id, *found));
}

std::string HolderTable(const JsonValue& location) {
  Table table({{"HOLDER", Align::kLeft},
               {"ZONE", Align::kLeft},
               {"PIECES", Align::kRight},
               {"LOAD", Align::kRight},
               {"HEARD", Align::kRight}});
  for (const JsonValue& holder : location["holders"].list()) {
    table.Add({TextOf(holder["address"]), TextOf(holder["zone"]),
               holder["complete"].flag()
                   ? "all"
                   : absl::StrCat(holder["pieces_held"].text(), " of ", holder["pieces"].text()),
               PartText(holder["load"]), SinceText(holder["age_seconds"])});
  }
  return absl::StrCat(TextOf(location["object_id"]), "  ", BytesText(location["size"]), "  ",
                      TextOf(location["digest"]), "\n", table.Format());
}

// --- peers

std::string TransferTable(const JsonValue& answer) {
  Table table({{"", Align::kLeft},
               {"PEER", Align::kLeft},
               {"RATE", Align::kRight},
               {"BYTES", Align::kRight},
               {"PIECES ASKED", Align::kRight},
               {"OBJECT", Align::kLeft}});
  for (const JsonValue& transfer : answer["transfers"].list()) {
    table.Add({transfer["direction"].text() == "up" ? "to" : "from", TextOf(transfer["peer"]),
               RateText(transfer["rate"]), BytesText(transfer["bytes"]),
               TextOf(transfer["in_flight"]), TextOf(transfer["object_id"])});
  }
  std::string text = table.Format();
  for (const JsonValue& download : answer["downloads"].list()) {
    absl::StrAppend(
        &text, "copying ", TextOf(download["object_id"]), ": ", BytesText(download["bytes_done"]),
        " of ", BytesText(download["size"]), ", ", RateText(download["rate"]), " from ",
        download["from_origin"].flag() ? "the origin"
                                       : absl::StrCat(download["sources"].text(), " nodes"),
        "\n");
  }
  return text;
}

std::string RequestFor(const std::string& id) {
  return id.empty() ? "{}" : JsonObject().Text("object_id", id).ToText();
}

}  // namespace

absl::Status Members(const MembersArgs& args) {
  const bool tracker = !args.tracker.address.empty();
  const JsonOr answer =
      tracker ? TrackersAsMembers(args.tracker) : Ask(args.target, "members", "{}");
  if (!answer.ok()) return answer.status();
  const absl::Span<const JsonValue> members = (*answer)["members"].list();
  if (args.json) return PrintLines(members);
  return Print(tracker ? TrackerTable(members) : MemberTable(members));
}

absl::Status Locate(const LocateArgs& args) {
  const absl::StatusOr<ObjectId> id = ObjectId::Parse(args.id);
  if (!id.ok()) return id.status();
  const JsonOr answer = args.tracker.address.empty()
                            ? Ask(args.target, "locate", RequestFor(args.id))
                            : LocateByTracker(args.tracker, *id);
  if (!answer.ok()) return answer.status();
  return Print(args.json ? answer->ToText() + "\n" : HolderTable(*answer));
}

absl::Status Peers(const PeersArgs& args) {
  const JsonOr answer = Ask(args.target, "transfers", RequestFor(args.id));
  if (!answer.ok()) return answer.status();
  if (!args.json) return Print(TransferTable(*answer));
  if (absl::Status status = PrintLines((*answer)["transfers"].list()); !status.ok()) return status;
  return PrintLines((*answer)["downloads"].list());
}

}  // namespace packice::cli
