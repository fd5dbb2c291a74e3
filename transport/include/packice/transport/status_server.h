// What an operator asks a program that is no node: a few texts, such as its metrics, at fixed paths
// over HTTP/1.1. Nothing can be changed through it, and it has neither TLS nor tokens, so that it
// belongs on an address that only operators reach.
//
// Owns a thread and its sockets. The destructor closes all at once. Each connection is answered
// once; there are at most 64, of 10 seconds each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace packice {

struct StatusPage {
  std::string path;  // "/metrics"
  std::string content_type;
  std::function<std::string()> text;  // called on the server's thread; may take a moment
};

class StatusServer {
 public:
  // The media type of Prometheus' text format.
  static constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

  // Listens when it returns, on an IP address and a port, 0 for any. `invalid_argument` for what is
  // no address, `busy` when it is taken, `io`, `permission_denied`.
  static absl::StatusOr<std::unique_ptr<StatusServer>> Start(const std::string& host, uint16_t port,
                                                             std::vector<StatusPage> pages);
  ~StatusServer();

  const std::string& url() const;  // with the port that was chosen

 private:
  class Impl;
  explicit StatusServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
