#include "cli/flags.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/session.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

void AddCredentials(CLI::App& app, Target& target, const std::string& prefix) {
  app.add_option("--" + prefix + "token-file", target.token_file,
                 "A file with the node's token, for http; by default $PACKICE_TOKEN is the token");
  app.add_option("--" + prefix + "ca-file", target.ca_file,
                 "Certificates to trust, for https; by default the system's");
}

}  // namespace

void AddTarget(CLI::App& app, Target& target) {
  target.address = absl::StrCat("unix:", DefaultSocket());
  app.add_option("--target", target.address, "The node")
      ->envname("PACKICE_TARGET")
      ->capture_default_str();
  AddCredentials(app, target, "");
}

void AddTarget(CLI::App& app, Target& target, const std::string& name) {
  app.add_option("--" + name, target.address, "The node, as --target of other commands")
      ->required()
      ->type_name("TARGET");
  AddCredentials(app, target, name + "-");
}

void AddJson(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print JSON, as the node's protocol has it");
}

void AddData(CLI::App& app, std::string& directory) {
  directory = "packice-data";
  app.add_option("--data", directory, "The directory of a durable node")
      ->envname("PACKICE_DATA")
      ->type_name("DIR")
      ->capture_default_str();
}

CLI::Option* AddEviction(CLI::App& app, EvictionSpec& eviction) {
  std::string names;
  for (const EvictionKind kind : EvictionKinds()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", EvictionKindName(kind));
  }
  return app
      .add_option_function<std::string>(
          "--eviction",
          [&eviction](const std::string& text) {
            const absl::StatusOr<EvictionSpec> parsed = ParseEvictionSpec(text);
            if (!parsed.ok()) {
              throw CLI::ValidationError("--eviction", std::string(parsed.status().message()));
            }
            eviction = *parsed;
          },
          absl::StrCat("Which object goes first when room is needed: ", names, " [",
                       EvictionSpec().ToString(), "]"))
      ->type_name("NAME[,key=value]");
}

CLI::Option* AddSizes(CLI::App& app, const std::string& name, std::vector<uint64_t>& sizes,
                      const std::string& what) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [&sizes, name](const std::vector<std::string>& texts) {
            sizes.clear();
            for (const std::string& text : texts) {
              const absl::StatusOr<uint64_t> size = ParseSize(text);
              if (!size.ok()) {
                throw CLI::ValidationError(name, std::string(size.status().message()));
              }
              sizes.push_back(*size);
            }
          },
          what)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("SIZE,...");
}

CLI::Validator OneOf(const std::string& name, std::vector<std::string> known,
                     std::vector<std::string> elsewhere) {
  const std::string list = absl::StrJoin(known, ", ");
  return CLI::Validator(
      [=](std::string& value) -> std::string {
        if (std::count(known.begin(), known.end(), value) > 0) return "";
        if (std::count(elsewhere.begin(), elsewhere.end(), value) == 0) {
          return absl::StrCat("\"", Printable(value), "\" is unknown; there is: ", list);
        }
        // No ValidationError: CLI11 would make another one of it, with an exit code of its own.
        throw CLI::ParseError(
            absl::StrCat(name, " ", value, ": this build does not have it; it has: ", list),
            InfoOf(ErrorKind::kUnsupported).exit_code);
      },
      absl::StrCat("{", absl::StrJoin(known, ","), "}"));
}

}  // namespace packice::cli
