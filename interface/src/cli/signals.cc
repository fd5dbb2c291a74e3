#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

namespace packice::cli {
namespace {

sigset_t Both() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Not the default action, which does not reach a process that is a container's first.
void ExitAtOnce(int number) { _exit(128 + number); }

}  // namespace

StopSignals::StopSignals() {
  const sigset_t both = Both();
  pthread_sigmask(SIG_BLOCK, &both, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int StopSignals::Wait() {
  const sigset_t both = Both();
  int number = 0;
  while (sigwait(&both, &number) != 0) {
  }
  struct sigaction action = {};
  action.sa_handler = ExitAtOnce;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &both, nullptr);
  return number;
}

}  // namespace packice::cli
