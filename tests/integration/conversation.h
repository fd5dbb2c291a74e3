// What clients say to a node and what it answers, written down a line each, so that the same can be
// said over every transport and compared.
//
//   A: w = create o 5 ttl=60    client A asks for a lease and calls it w
//   B: seal w                   client B uses it
//   A: r = read o wait=60 later A waits for it, and goes on
//   A: await r                  what came of that
//
// Clients connect when they first speak. For one thread.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/peer.h"

namespace packice {

class Conversation {
 public:
  explicit Conversation(std::function<std::unique_ptr<Peer>()> connect)
      : connect_(std::move(connect)) {}

  // Says one line. Answers the name of the error kind, or what was granted:
  //   create, read, write, await: "CREATING 5 {"k":1} ttl=60", a size for each blob
  //   seal: "o 5"; renew: "ttl=60"; stat: as for leases, then "leases=1"
  //   list: "a b > b", with what is next; stats: counts; get: the bytes of blob 0
  //   others: "ok"
  std::string Say(const std::string& line);

 private:
  using Grant_ = absl::StatusOr<Grant>;
  struct Line;

  Peer& Client(const std::string& name);
  std::string Acquire(const Line& line, Access access);
  std::string Keep(const std::string& name, Grant_ grant);
  std::string Await(const Line& line);
  std::string WithLease(const Line& line);
  std::string Inspect(const Line& line);
  LeaseId IdOf(const std::string& lease) const;

  const std::function<std::unique_ptr<Peer>()> connect_;
  std::map<std::string, std::future<Grant_>> pending_;
  std::map<std::string, OperationId> operations_;
  // Ended before the grants and futures that they may still complete.
  std::map<std::string, std::unique_ptr<Peer>> clients_;
  std::map<std::string, LeaseId> leases_;
  std::map<std::string, Grant> grants_;
};

}  // namespace packice
