// The real program, serving a data directory on a faulty disk over a Unix socket and HTTP, in a
// process that may die at any time.
//
// Thread-compatible; clients may be on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "faulty_disk.h"
#include "http_client.h"
#include "ledger.h"
#include "raw_client.h"

namespace packice {

class CrashNode {
 public:
  // Does not start. Without `disk` the node has a directory on the real disk for itself. `tiered`
  // are the flags of its tiers; none: it has none.
  explicit CrashNode(FaultyDisk* disk, std::vector<std::string> tiered = {})
      : disk_(disk), tiered_(std::move(tiered)) {}

  // Waits until it is ready. False when it ends before that.
  bool Start();
  void StartOnly();
  void Kill();
  // In good order; its exit code.
  int Stop();
  // Of a node that was not ready.
  int exit_code() const { return exit_code_; }

  RawClient Connect() const { return RawClient(socket()); }
  HttpClient ConnectHttp() const { return HttpClient(http_port_); }

  // `packice fsck` over the data: empty when it finds nothing, otherwise what it says.
  std::string Fsck() const;
  std::string data() const;
  // The last of what the node has logged.
  std::string Log() const;

 private:
  std::string socket() const { return directory_ / "socket"; }
  std::string log() const { return directory_ / "log"; }
  std::vector<std::string> WithLog(std::vector<std::string> command) const;

  TemporaryDirectory directory_;
  FaultyDisk* const disk_;
  const std::vector<std::string> tiered_;
  absl::optional<ChildProcess> process_;
  int exit_code_ = 0;
  uint16_t http_port_ = 0;
};

// All objects of a node, each read in full and compared with what it has to be.
std::vector<Sighting> LookAt(RawClient& client, const Ledger& ledger);

// What `list` says of each object, but for its leases.
std::vector<std::string> Listed(RawClient& client);

// The bytes of an open grant's blobs are those of `object`; otherwise what is wrong.
std::string Compare(const Response& grant, const TestObject& object);

}  // namespace packice
