// The log of programs that run on: glog, to stderr.
#pragma once

namespace packice::cli {

// Once per process, before the first line.
void StartLog(int verbosity);

}  // namespace packice::cli
