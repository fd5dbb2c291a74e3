// The command line of `packice`: its commands, their flags and their help; and that of
// `packice-node`, which is the same program under another name.
#pragma once

namespace packice::cli {

// Runs the command that the arguments name, or the node where argv[0] is packice-node. Answers the
// process's exit code, that of the error's kind.
int Main(int argc, char** argv);

}  // namespace packice::cli
