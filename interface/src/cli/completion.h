// Completion of the command line by shells.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace packice::cli {

// A bash script that completes the commands and flags of `app`, and the ids of objects where a
// command takes them.
std::string BashCompletion(const CLI::App& app);

}  // namespace packice::cli
