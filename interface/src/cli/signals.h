// Waiting for the signals that end a server.
#pragma once

namespace packice::cli {

// One per process, made before any other thread, so that all threads inherit the mask.
class StopSignals {
 public:
  // Holds SIGTERM and SIGINT back. SIGPIPE is ignored from here on.
  StopSignals();

  // Blocks until one comes. From then on a further one ends the process at once.
  int Wait();
};

// Notes that SIGINT or SIGTERM came, for a command that has something to finish first. One per
// process. A second signal ends the process at once. SIGPIPE is ignored from here on.
class StopRequest {
 public:
  StopRequest();
  bool made() const;
};

}  // namespace packice::cli
