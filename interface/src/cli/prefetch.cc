#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/swarm_answer.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"

namespace packice::cli {
namespace {

std::string RequestOf(const PrefetchArgs& args) {
  if (args.prefix.has_value()) return JsonObject().Text("prefix", *args.prefix).ToText();
  std::vector<std::string> ids;
  for (const std::string& id : args.ids) ids.push_back(FormatString(id));
  return JsonObject().List("ids", ids).ToText();
}

}  // namespace

absl::Status Prefetch(const PrefetchArgs& args) {
  if (args.prefix.has_value() == !args.ids.empty()) {
    return MakeError(ErrorKind::kInvalidArgument, "prefetch takes either ids or --prefix");
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  // Without a timeout each object may take as long as it makes progress.
  const absl::StatusOr<std::string> text =
      (*client)->Call("prefetch", RequestOf(args), args.timeout.value_or(absl::InfiniteDuration()));
  if (!text.ok()) return text.status();
  const absl::StatusOr<JsonValue> answer = JsonValue::Parse(*text);
  if (!answer.ok()) return answer.status();
  const std::string summary =
      args.json ? absl::StrCat(*text, "\n")
                : absl::StrCat((*answer)["fetched"].text(), " of ", (*answer)["objects"].text(),
                               " objects are here\n");
  if (absl::Status printed = Print(summary); !printed.ok()) return printed;
  return LastFailure((*answer)["failed"].list(), "object_id");
}

}  // namespace packice::cli
