// What the commands' flags are made of: the only place, with app*.cc, that knows CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/app_commands.h"
#include "cli/target.h"
#include "cli/text.h"
#include "packice/peers/eviction_spec.h"

namespace packice::cli {

// A command with arguments of type Args, which live as long as what `run` holds.
template <typename Args>
struct Command {
  CLI::App* app;
  std::shared_ptr<Args> args;
};

template <typename Args>
Command<Args> Add(CLI::App& app, Run& run, const std::string& name, const std::string& what,
                  absl::Status (*command)(const Args&), const std::string& footer) {
  CLI::App* const added = app.add_subcommand(name, what);
  added->footer(footer);
  auto args = std::make_shared<Args>();
  added->callback([&run, args, command] { run = [args, command] { return command(*args); }; });
  return {added, std::move(args)};
}

// --target, --token-file and --ca-file.
void AddTarget(CLI::App& app, Target& target);
// For a command with two nodes: --from, --from-token-file and --from-ca-file where `name` is
// "from".
void AddTarget(CLI::App& app, Target& target, const std::string& name);

void AddJson(CLI::App& app, bool& json);
void AddData(CLI::App& app, std::string& directory);

CLI::Option* AddEviction(CLI::App& app, EvictionSpec& eviction);

CLI::Option* AddSizes(CLI::App& app, const std::string& name, std::vector<uint64_t>& sizes,
                      const std::string& what);

// Takes `known`; what else the protocol has names for is `unsupported`, and the rest is wrong.
CLI::Validator OneOf(const std::string& name, std::vector<std::string> known,
                     std::vector<std::string> elsewhere);

template <typename Size>
CLI::Option* AddSize(CLI::App& app, const std::string& name, Size& size, const std::string& what) {
  return app
      .add_option_function<std::string>(
          name,
          [&size, name](const std::string& text) {
            const absl::StatusOr<uint64_t> parsed = ParseSize(text);
            if (!parsed.ok())
              throw CLI::ValidationError(name, std::string(parsed.status().message()));
            size = *parsed;
          },
          what)
      ->type_name("SIZE");
}

template <typename Duration>
CLI::Option* AddSeconds(CLI::App& app, const std::string& name, Duration& duration, bool zero,
                        const std::string& what) {
  return app
      .add_option_function<double>(
          name,
          [&duration, name, zero](double seconds) {
            const bool fits = zero ? seconds >= 0 : seconds > 0;
            if (!fits || !std::isfinite(seconds)) {
              throw CLI::ValidationError(name, "wants a number of seconds over 0");
            }
            duration = absl::Seconds(seconds);
          },
          what)
      ->type_name("SECONDS");
}

// For polling: a second of it is much.
inline CLI::Option* AddMicroseconds(CLI::App& app, const std::string& name,
                                    absl::Duration& duration, const std::string& what) {
  return app
      .add_option_function<uint64_t>(
          name,
          [&duration](uint64_t microseconds) {
            duration = absl::Microseconds(static_cast<int64_t>(microseconds));
          },
          what)
      ->check(CLI::Range(uint64_t{0}, uint64_t{1000000}))
      ->type_name("MICROSECONDS");
}

}  // namespace packice::cli
