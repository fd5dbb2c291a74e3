// The least that a server on Beast can do: reads a request, sends its body back. What http_speed
// compares with.
#pragma once

namespace packice {

// Serves connections of the listening socket on this thread, for ever.
void ServeBeastEcho(int listener);

}  // namespace packice
