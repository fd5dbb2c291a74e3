// Several hosts on one machine: network namespaces on a bridge, each with a cable of a certain rate
// that can be pulled out.
//
// Everything lives in a network namespace that the lab makes for the process and that goes with it,
// so that nothing is left of a test that is killed. Where the process is not root, it makes a user
// namespace, too. Owned by one test, used on the thread that made it, which from then on is in the
// lab's own network, at NetworkLab::kAddress; threads that it starts are, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/core/unique_fd.h"

namespace packice {

// While it lives, what the calling thread opens and starts is in that network.
class NetworkScope {
 public:
  NetworkScope(int there, int back);
  NetworkScope(const NetworkScope&) = delete;
  NetworkScope& operator=(const NetworkScope&) = delete;
  ~NetworkScope();

 private:
  const int back_;
};

class NetworkLab {
 public:
  static constexpr char kAddress[] = "10.77.0.254";
  static constexpr size_t kMaxHosts = 200;

  // Hosts are numbered from 1.
  using Host = size_t;

  // `permission_denied` where the kernel allows no namespaces; `io` when it lacks a part, or
  // iproute2 does.
  static absl::StatusOr<std::unique_ptr<NetworkLab>> Make();
  ~NetworkLab();

  // A host whose cable carries so many bits a second each way; nothing: as many as it can.
  absl::StatusOr<Host> AddHost(absl::optional<uint64_t> bits_per_second);
  static std::string AddressOf(Host host);  // "10.77.0.1"

  // What the thread does in the scope it does on that host.
  NetworkScope Enter(Host host) const;

  absl::Status PullOut(Host host);
  absl::Status PlugIn(Host host);
  // Takes these hosts to a network of their own, and back.
  absl::Status Split(const std::vector<Host>& apart);
  absl::Status Heal();

  // Bytes on its cable so far, headers among them.
  struct Traffic {
    uint64_t sent = 0;
    uint64_t received = 0;
  };
  absl::StatusOr<Traffic> TrafficOf(Host host) const;

 private:
  NetworkLab() = default;
  absl::Status SetUp();

  UniqueFd outside_;  // where the process came from
  UniqueFd network_;  // with the bridge
  std::vector<UniqueFd> hosts_;
};

}  // namespace packice
