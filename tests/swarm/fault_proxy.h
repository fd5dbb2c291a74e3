// A bad network in front of a server: a TCP proxy that delays, slows, damages, stalls and cuts what
// goes through it, as a test says while it goes.
//
// Owns its thread and sockets, in the network in which it was started. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "fault_flow.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"

namespace packice {

class FaultProxy {
 public:
  // Listens when it returns, at `listen`, and connects whoever comes with `target`; both are
  // "10.77.0.1:7701". Port 0: any. Connections are numbered as they come; each takes its random
  // choices from the seed and its number. `invalid_argument`, `io`.
  static absl::StatusOr<std::unique_ptr<FaultProxy>> Start(const std::string& listen,
                                                           const std::string& target,
                                                           uint64_t seed);
  ~FaultProxy();

  const std::string& address() const { return address_; }

  // For what comes in from now on, and `silent` at once.
  void Set(Faults faults);
  // Resets all connections there are.
  void CutAll();

  FaultCounts counts() const;

 private:
  struct Connection;

  FaultProxy(UniqueFd listener, std::string address, std::string target, uint64_t seed);
  void Run();
  void Accept(uint64_t& number);
  // Waits until something is to do, and returns whether somebody wants to connect.
  bool Wait(const Faults& faults);
  void MoveAll(uint64_t connections);
  // False when the connection is over.
  static bool Move(Connection& connection, const Faults& faults, FaultCounts& counts);
  void WakeUp();

  const UniqueFd listener_;
  const UniqueFd wake_;
  const std::string address_;
  const std::string target_;
  const uint64_t seed_;
  mutable Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  FaultCounts counts_ ABSL_GUARDED_BY(mutex_);
  bool cut_all_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::unique_ptr<Connection>> connections_;  // of the thread
  std::thread thread_;
};

}  // namespace packice
