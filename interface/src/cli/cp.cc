#include "cli/commands.h"
#include "cli/session.h"
#include "cli/text.h"
#include "packice/transport/codec.h"

namespace packice::cli {

absl::Status Cp(const CpArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> from = Dial(args.from);
  if (!from.ok()) return Annotate(from.status(), "--from");
  absl::StatusOr<std::unique_ptr<Client>> to = Dial(args.to);
  if (!to.ok()) return Annotate(to.status(), "--to");
  const absl::StatusOr<Sealed> sealed = CopyObject(**from, **to, args.id, args.as);
  if (!sealed.ok()) return sealed.status();
  return Print(args.json ? FormatReply(*sealed) + "\n"
                         : Printable(sealed->object_id.bytes()) + "\n");
}

}  // namespace packice::cli
