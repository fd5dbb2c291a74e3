#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

using End = ObjectHistory::End;

const char* EndName(End end) {
  switch (end) {
    case End::kFirst:
      return "first";
    case End::kMissing:
      return "missing";
    case End::kCycle:
      return "cycle";
    case End::kUnreadable:
      return "unreadable";
    case End::kLimit:
      return "limit";
  }
  return "?";
}

// Why the chain ends, when it does not end at an object that is the first.
std::string EndText(const ObjectHistory& history) {
  const std::string next = absl::StrCat("\"", Printable(history.next.bytes()), "\"");
  switch (history.end) {
    case End::kFirst:
      return "";
    case End::kMissing:
      return absl::StrCat("before it: ", next, ", which this node does not have\n");
    case End::kCycle:
      return absl::StrCat("before it: ", next, " again; the chain is a circle\n");
    case End::kUnreadable:
      return "before it: what its prev_objid names is no id\n";
    case End::kLimit:
      return absl::StrCat("before it: ", next, "; --limit shows more\n");
  }
  return "";
}

std::string Format(const ObjectHistory& history) {
  Table table({{"SIZE", Align::kRight},
               {"STATE", Align::kLeft},
               {"CREATED", Align::kLeft},
               {"ID", Align::kLeft}});
  for (const ObjectInfo& object : history.objects) {
    table.Add({SizeText(object.size()),
               object.state == ObjectState::kSealed ? "sealed" : "creating",
               TimeText(object.created_at), Printable(object.object_id.bytes())});
  }
  return table.Format() + EndText(history);
}

// {"end":"...","objects":[...],"next":"..."}
std::string FormatJson(const ObjectHistory& history) {
  ListPage page;
  page.objects = history.objects;
  if (!history.next.empty()) page.next = history.next;
  return absl::StrCat("{\"end\":\"", EndName(history.end), "\",", FormatReply(page).substr(1),
                      "\n");
}

}  // namespace

absl::Status History(const HistoryArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  const absl::StatusOr<ObjectHistory> history = (*client)->History(args.id, args.limit);
  if (!history.ok()) return history.status();
  return Print(args.json ? FormatJson(*history) : Format(*history));
}

}  // namespace packice::cli
