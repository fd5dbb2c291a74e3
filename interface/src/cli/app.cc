#include "cli/app.h"

#include <CLI/CLI.hpp>

#include "cli/app_commands.h"
#include "cli/session.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

constexpr char kFooter[] = R"(Examples:
  packice serve --impl mem --transport uds &
  packice put model.bin --id models/a/model.bin
  packice get models/a/model.bin -o copy.bin
  packice ls models/

Commands talk to the node at --target: /path or unix:/path is a Unix socket,
http://HOST:PORT and https://HOST:PORT a node on the network, "" a node of the
command's own. Without --target it is $PACKICE_TARGET, else the socket
$PACKICE_SOCKET, else /tmp/packice.sock.

Errors go to stderr as "packice: KIND: MESSAGE"; the exit code is the kind's:
)";

std::string Footer() {
  std::string footer = kFooter;
  for (const ErrorInfo& info : ErrorTable()) {
    std::string name(info.name);
    name.resize(18, ' ');
    footer += "  " + std::string(info.exit_code < 100 ? info.exit_code < 10 ? "  " : " " : "") +
              std::to_string(info.exit_code) + "  " + name + std::string(info.meaning) + "\n";
  }
  return footer;
}

int Fail(const absl::Status& status) {
  Complain(status);
  return InfoOf(KindOf(status)).exit_code;
}

// A command line that cannot be read. CLI11 prints help by the same way.
int ParseFailure(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  const bool unsupported = error.get_exit_code() == InfoOf(ErrorKind::kUnsupported).exit_code;
  const std::string message = error.what();
  return Fail(MakeError(unsupported ? ErrorKind::kUnsupported : ErrorKind::kInvalidArgument,
                        unsupported ? message : message + "; see packice --help"));
}

int RunApp(CLI::App& app, const Run& run, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ParseFailure(app, error);
  }
  absl::Status status = run();
  if (status.ok()) status = FlushOutput();
  return status.ok() ? 0 : Fail(status);
}

int RunPackice(int argc, char** argv) {
  CLI::App app("A lease-based cache of immutable objects, shared between processes without copies",
               "packice");
  app.require_subcommand(1);
  app.footer(Footer());
  app.set_version_flag("--version", "packice " PACKICE_VERSION);
  Run run;
  AddServe(app, run);
  AddPut(app, run);
  AddGet(app, run);
  AddInspection(app, run);
  AddEvents(app, run);
  AddRm(app, run);
  AddMv(app, run);
  AddCp(app, run);
  AddFsck(app, run);
  AddBench(app, run);
  AddSimulate(app, run);
  AddSimulateSwarm(app, run);
  AddTracker(app, run);
  AddFleet(app, run);
  AddVersion(app, run);
  AddCompletion(app, run);
  return RunApp(app, run, argc, argv);
}

int RunOlderNode(int argc, char** argv) {
  CLI::App app("Run a node, as older versions of Packice named it", "packice-node");
  app.set_version_flag("--version", "packice " PACKICE_VERSION);
  Run run;
  AddOlderNode(app, run);
  return RunApp(app, run, argc, argv);
}

}  // namespace

int Main(int argc, char** argv) {
  absl::string_view name = argc > 0 ? argv[0] : "";
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  return name == "packice-node" ? RunOlderNode(argc, argv) : RunPackice(argc, argv);
}

}  // namespace packice::cli
