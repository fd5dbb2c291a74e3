#include "cli/session.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "cli/token.h"
#include "packice/core/error.h"

namespace packice::cli {

std::string DefaultSocket() {
  const char* const socket = std::getenv("PACKICE_SOCKET");
  return socket != nullptr && *socket != '\0' ? socket : "/tmp/packice.sock";
}

absl::StatusOr<std::unique_ptr<Client>> Dial(const Target& target) {
  ConnectOptions options;
  options.ca_file = target.ca_file;
  options.spin = target.spin;
  if (!target.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(target.token_file);
    if (!token.ok()) return token.status();
    options.token = *std::move(token);
  } else if (const char* const token = std::getenv("PACKICE_TOKEN")) {
    options.token = token;
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Connect(target.address, options);
  if (client.ok() || KindOf(client.status()) != ErrorKind::kUnavailable) return client;
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat(client.status().message(),
                                "; start a node with `packice serve`, or name one with --target"));
}

absl::Status ForEachPage(Client& client, const std::string& prefix,
                         const std::function<absl::StatusOr<bool>(const ListPage&)>& see) {
  ListRequest request;
  request.prefix = prefix;
  while (true) {
    absl::StatusOr<ListPage> page = client.List(request);
    if (!page.ok()) return page.status();
    const absl::StatusOr<bool> more = see(*page);
    if (!more.ok()) return more.status();
    if (!*more || !page->next.has_value()) return absl::OkStatus();
    request.after = std::string(page->next->bytes());
  }
}

absl::Status Annotate(const absl::Status& status, absl::string_view what) {
  if (status.ok()) return status;
  return MakeError(KindOf(status), absl::StrCat(what, ": ", status.message()));
}

void Complain(const absl::Status& status) {
  const std::string line =
      absl::StrCat("packice: ", InfoOf(KindOf(status)).name, ": ", status.message(), "\n");
  std::fputs(line.c_str(), stderr);
}

absl::Status Print(absl::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return absl::OkStatus();
  return ErrnoError(errno, "cannot write to stdout");
}

absl::Status FlushOutput() {
  if (std::fflush(stdout) == 0) return absl::OkStatus();
  return ErrnoError(errno, "cannot write to stdout");
}

}  // namespace packice::cli
