// A node over a Unix socket, and HTTP where it is wanted, in a process of its own, which can be
// killed, starved of descriptors and measured.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "child_process.h"

namespace packice {

struct NodeFlags {
  std::string path;
  size_t max_connections = 8192;
  absl::Duration send_timeout = absl::Seconds(30);
  uint64_t capacity = 0;      // bytes; 0: no limit
  size_t descriptors = 0;     // that the process may open; 0: as many as it is allowed
  bool unprivileged = false;  // as root, run as another user, whom the kernel limits as any other

  std::string data;  // the directory of a durable node; empty: a memory node

  bool http = false;  // beside the socket, on any port of loopback
  std::string tls_cert, tls_key;
  size_t max_in_flight = 4096;
  absl::Duration idle_timeout = absl::Seconds(75);
  absl::Duration header_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(30);
};

class NodeProcess {
 public:
  // Starts; outcome() waits for what comes of it.
  explicit NodeProcess(const NodeFlags& flags);

  // "ready" once it listens, or the kind of error that keeps it from that.
  const std::string& outcome();
  // Where it serves HTTP, once it is ready.
  uint16_t http_port() const { return http_port_; }

  // Ends at once, with no chance to clean up.
  void Kill() { process_.Kill(); }
  // Asks it to drain, as an operator does.
  void Terminate() { process_.Signal(SIGTERM); }
  // The exit code.
  int Wait() { return process_.Wait(); }

  // Memory of its own: what it needs beyond objects, which are shared memory.
  int64_t PrivateBytes() const;

 private:
  ChildProcess process_;
  std::string outcome_;
  uint16_t http_port_ = 0;
};

}  // namespace packice
