#include "cli/swarm_answer.h"

#include "absl/strings/str_cat.h"
#include "cli/session.h"
#include "cli/text.h"
#include "packice/core/error.h"

namespace packice::cli {

absl::Status LastFailure(absl::Span<const JsonValue> parts, absl::string_view name) {
  absl::Status last;
  for (const JsonValue& part : parts) {
    const JsonValue& error = part["error"];
    if (error.is_null()) continue;
    if (!last.ok()) Complain(last);
    const absl::string_view which = part[name].text();
    last = MakeError(ErrorKindFromName(error["kind"].text()).value_or(ErrorKind::kInternal),
                     absl::StrCat(which.empty() ? "this node" : Printable(which), ": ",
                                  error["message"].text()));
  }
  return last;
}

}  // namespace packice::cli
