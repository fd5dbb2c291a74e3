// The command line of `packice`: its commands, their flags and their help.
#pragma once

namespace packice::cli {

// Runs the command that the arguments name. Answers the process's exit code, that of the error's
// kind.
int Main(int argc, char** argv);

}  // namespace packice::cli
