// What a request's target names: one of the node's endpoints, with the parameters in it. Pure
// functions; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "http_failure.h"
#include "http_request.h"
#include "packice/transport/node_extension.h"
#include "packice/transport/protocol.h"

namespace packice {

enum class HttpEndpoint : uint8_t {
  kUnknown,
  kOp,          // POST /acquire and the like
  kVersion,     // GET /version
  kObjects,     // GET /objects
  kObject,      // GET, PUT, DELETE /objects/{id}
  kObjectData,  // GET /objects/{id}/data
  kBlob,        // GET, PUT /leases/{lease_id}/blobs/{n}
  kSums,        // GET /leases/{lease_id}/blobs/{n}/sums
  kStats,
  kEvents,  // GET a stream of lines, POST as kOp
  kHealth,
  kMetrics,
  kOpenApi,
  kExtensionQuery,  // GET: an operation of the node's extension
  kExtensionPost,
};

struct HttpTarget {
  HttpEndpoint endpoint = HttpEndpoint::kUnknown;
  Op op = Op::kHello;    // kOp, kEvents
  std::string id;        // kObject, kObjectData: decoded; may be no ObjectId
  std::string lease_id;  // kBlob, kSums: as it was written
  size_t blob = 0;
  ExtensionRequest extension;  // kExtensionQuery, kExtensionPost: as far as the target says it
  std::vector<std::pair<std::string, std::string>> query;  // decoded

  // The last one of that name.
  absl::optional<absl::string_view> Query(absl::string_view name) const;
};

// Fails with 400 for a target that is none, whose escapes are none, or whose id is not UTF-8, which
// JSON could not name. Otherwise ids may hold anything:
// "models/a" and "models%2Fa" are the same id, ".." and "." are bytes like others. In
// /objects/{id}/data the last slash is a plain one; an id that ends in "/data" has that one
// escaped.
struct ParsedTarget {
  HttpTarget target;
  absl::optional<HttpFailure> failure;
};
// `routes` are those of RoutesOf.
ParsedTarget ParseTarget(absl::string_view target,
                         absl::Span<const NodeExtension::Route> routes = {});

// All the routes to an extension's operations: its own, and /ops/NAME. None for null.
std::vector<NodeExtension::Route> RoutesOf(const NodeExtension* extension);

// The methods of an endpoint, as the Allow header lists them; empty for kUnknown.
absl::string_view AllowedMethods(HttpEndpoint endpoint);
bool IsAllowed(HttpEndpoint endpoint, HttpMethod method);

// "models/a b" as a path: "models/a%20b".
std::string EncodePath(absl::string_view id);

}  // namespace packice
