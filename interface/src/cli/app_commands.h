// The commands' flags and help texts. Each function adds a command to `app` that, when it is
// chosen, leaves in `run` what is to be done.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace packice::cli {

using Run = std::function<absl::Status()>;

void AddServe(CLI::App& app, Run& run);
void AddPut(CLI::App& app, Run& run);
void AddGet(CLI::App& app, Run& run);
void AddInspection(CLI::App& app, Run& run);  // stat, ls, stats, history
void AddEvents(CLI::App& app, Run& run);      // events, record
void AddRm(CLI::App& app, Run& run);
void AddMv(CLI::App& app, Run& run);
void AddCp(CLI::App& app, Run& run);
void AddFsck(CLI::App& app, Run& run);
void AddBench(CLI::App& app, Run& run);
void AddSimulate(CLI::App& app, Run& run);
void AddTracker(CLI::App& app, Run& run);
void AddSimulateSwarm(CLI::App& app, Run& run);
void AddFleet(CLI::App& app, Run& run);  // members, locate, peers, prefetch
void AddVersion(CLI::App& app, Run& run);
void AddCompletion(CLI::App& app, Run& run);

// Makes all of `app` what the program packice-node is: a node under its older name.
void AddOlderNode(CLI::App& app, Run& run);

}  // namespace packice::cli
