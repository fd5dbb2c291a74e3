// What a node does beyond its Peer's operations: further ones, JSON in and JSON out, that its
// servers carry without knowing what they mean. Given to UdsServer and HttpServer, which it
// outlives.
//
// Implementations are thread-safe; no call blocks for more than a moment. What Ops, Routes and the
// names in them say never changes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/identity.h"
#include "packice/core/peer.h"
#include "packice/transport/protocol.h"

namespace packice {

class NodeExtension {
 public:
  // A place under which HTTP has an operation. Every one is also at POST /ops/NAME.
  struct Route {
    bool post = false;  // else GET (and HEAD), without a body
    std::string path;   // "/swarm/transfers"
    std::string op;
    // Not empty: the path goes on, behind a slash, with what this member of the request is, a
    // string: "object_id" for /swarm/transfers/models/a.
    std::string member = {};
  };

  virtual ~NodeExtension() = default;

  // None is one of the protocol's.
  virtual const std::vector<std::string>& Ops() const = 0;
  virtual const std::vector<Route>& Routes() const = 0;

  // Answers with a JSON object; perhaps before it returns, perhaps later, on any thread. The
  // request is a JSON object; members that nobody knows are ignored, `op` and `seq` may be among
  // them. Of `wait` only this decides what it means.
  virtual void Call(ExtensionRequest request, OperationId operation,
                    Done<absl::StatusOr<std::string>> done) = 0;
  // Ends a call that has not been answered, soon; `timeout`, or what there is by then.
  virtual void Cancel(OperationId operation) = 0;

  // What it adds to the answer of `stats`: a JSON object whose members, each an object, have names
  // that the protocol does not use. And to /metrics: Prometheus' text format.
  virtual std::string StatsJson() const = 0;
  virtual std::string MetricsText() const = 0;
};

}  // namespace packice
