#include "cli/commands.h"
#include "cli/session.h"

namespace packice::cli {

absl::Status Mv(const MvArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  return (*client)->Relocate(args.id, args.to);
}

}  // namespace packice::cli
