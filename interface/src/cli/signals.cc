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

volatile sig_atomic_t stop_requested = 0;

void NoteStop(int number) {
  if (stop_requested != 0) ExitAtOnce(number);
  stop_requested = 1;
}

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

StopRequest::StopRequest() {
  struct sigaction action = {};
  action.sa_handler = NoteStop;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool StopRequest::made() const { return stop_requested != 0; }

}  // namespace packice::cli
