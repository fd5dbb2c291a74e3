// Keeps a client that goes away from ending the process: sendfile(2) has no MSG_NOSIGNAL.
#pragma once

#include <signal.h>

namespace packice {

// From here on the calling thread gets EPIPE and no signal, whatever the program does about
// SIGPIPE. The signal stays pending, of which nobody notices.
inline void BlockSigpipe() {
  sigset_t sigpipe;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, nullptr);
}

}  // namespace packice
