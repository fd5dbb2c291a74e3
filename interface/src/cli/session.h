// What the commands that talk to a node share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/target.h"
#include "packice/client.h"

namespace packice::cli {

// PACKICE_SOCKET, or where a node listens by default.
std::string DefaultSocket();

// Connects; says how to start a node when there is none.
absl::StatusOr<std::unique_ptr<Client>> Dial(const Target& target);

// Calls `see` for the objects whose ids start with `prefix`, page by page in the order of the ids,
// until it fails or answers false.
absl::Status ForEachPage(Client& client, const std::string& prefix,
                         const std::function<absl::StatusOr<bool>(const ListPage&)>& see);

// The same failure, told of `what`.
absl::Status Annotate(const absl::Status& status, absl::string_view what);

// Tells of a failure on stderr: "packice: KIND: MESSAGE".
void Complain(const absl::Status& status);

// Prints on stdout. `io` when it cannot.
absl::Status Print(absl::string_view text);
absl::Status FlushOutput();

}  // namespace packice::cli
