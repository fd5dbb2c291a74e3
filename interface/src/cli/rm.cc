#include <utility>

#include "cli/commands.h"
#include "cli/session.h"
#include "packice/core/error.h"
#include "packice/core/object_id.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

absl::Status RemoveOne(Client& client, const std::string& id, bool json) {
  if (absl::Status status = client.Delete(id); !status.ok()) return status;
  return json ? Print(FormatReply(DiscardReply{}) + "\n") : absl::OkStatus();
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
    absl::Status status = RemoveOne(client, id, args.json);
    if (status.ok()) continue;
    const bool gone = args.prefix.has_value() && KindOf(status) == ErrorKind::kNotFound;
    if (gone) continue;  // since it was listed
    if (KindOf(status) == ErrorKind::kUnavailable) return status;
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
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  if (!args.prefix.has_value()) return RemoveAll(**client, args.ids, args);
  const absl::StatusOr<std::vector<std::string>> ids = Listed(**client, *args.prefix);
  return ids.ok() ? RemoveAll(**client, *ids, args) : ids.status();
}

}  // namespace packice::cli
