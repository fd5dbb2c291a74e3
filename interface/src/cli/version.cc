#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "packice/transport/codec.h"

namespace packice::cli {

absl::Status Version(bool json) {
  if (!json) {
    return Print(absl::StrCat("packice ", PACKICE_VERSION, " (protocol ", kProtocolVersion, ")\n"));
  }
  HelloReply hello;
  hello.version = PACKICE_VERSION;
  return Print(FormatReply(hello) + "\n");
}

}  // namespace packice::cli
