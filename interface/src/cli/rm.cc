#include <utility>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/swarm_answer.h"
#include "packice/core/error.h"
#include "packice/core/object_id.h"
#include "packice/transport/codec.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"

namespace packice::cli {
namespace {

absl::Status RemoveOne(Client& client, const std::string& id, bool json) {
  if (absl::Status status = client.Delete(id); !status.ok()) return status;
  return json ? Print(FormatReply(DiscardReply{}) + "\n") : absl::OkStatus();
}

absl::Status RemoveEverywhere(Client& client, const std::string& id, bool json) {
  const absl::StatusOr<std::string> text =
      client.Call("remove", JsonObject().Text("object_id", id).ToText());
  if (!text.ok()) return text.status();
  if (json) {
    if (absl::Status printed = Print(*text + "\n"); !printed.ok()) return printed;
  }
  const absl::StatusOr<JsonValue> answer = JsonValue::Parse(*text);
  if (!answer.ok()) return answer.status();
  return LastFailure((*answer)["holders"].list(), "holder");
}

absl::StatusOr<std::vector<std::string>> Listed(Client& client, const std::string& prefix) {
  std::vector<std::string> ids;
  absl::Status status = ForEachPage(client, prefix, [&](const ListPage& page) {
    for (const ObjectInfo& object : page.objects) ids.emplace_back(object.object_id.bytes());
    return true;
  });
  if (!status.ok()) return status;
  return ids;
}

// Goes on after a failure, as rm(1) does: all but the last one are told here, the last by the
// caller.
absl::Status RemoveAll(Client& client, const std::vector<std::string>& ids, const RmArgs& args) {
  absl::Status failure;
  for (const std::string& id : ids) {
    absl::Status status = args.everywhere ? RemoveEverywhere(client, id, args.json)
                                          : RemoveOne(client, id, args.json);
    if (status.ok()) continue;
    const bool gone = args.prefix.has_value() && KindOf(status) == ErrorKind::kNotFound;
    if (gone) continue;  // since it was listed
    // With --everywhere it may be another node that is gone.
    if (KindOf(status) == ErrorKind::kUnavailable && !args.everywhere) return status;
    if (!failure.ok()) Complain(failure);
    failure = std::move(status);
  }
  return failure;
}

}  // namespace

absl::Status Rm(const RmArgs& args) {
  if (args.prefix.has_value() == !args.ids.empty()) {
    return MakeError(ErrorKind::kInvalidArgument, "rm takes either ids or --prefix");
  }
  if (args.everywhere && args.prefix.has_value()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "rm --everywhere takes ids: a prefix would take away what others made since");
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  if (!args.prefix.has_value()) return RemoveAll(**client, args.ids, args);
  const absl::StatusOr<std::vector<std::string>> ids = Listed(**client, *args.prefix);
  return ids.ok() ? RemoveAll(**client, *ids, args) : ids.status();
}

}  // namespace packice::cli
