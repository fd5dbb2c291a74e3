// The protocol's wire form: one JSON object a line. Pure functions of their arguments; thread-safe.
//
// Reading: UTF-8; unknown fields are ignored; a field of the wrong type, a number out of range or
// text that is not one JSON object is `invalid_argument`, with a message that names the field.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/metadata.h"
#include "packice/transport/protocol.h"

namespace packice {

// --- A server's side.

struct DecodedRequest {
  // As JSON text; empty: none. Echoed even when the rest could not be read.
  std::string seq;
  absl::StatusOr<Request> request;
  // How many bytes of another kind follow the line before the next one, whether the request could
  // be read or not. Nothing: that cannot be told, and so not where the next line begins.
  absl::optional<uint64_t> payload = 0;
};

// `line` is without its newline. Requests come back with no session and no operation id: those are
// the transport's to set. `more_ops` are known beside those of the protocol: NodeExtension::Ops.
DecodedRequest DecodeRequest(absl::string_view line, absl::Span<const std::string> more_ops = {});

// The same for a body that does not name its op because the transport has: of a POST to /acquire,
// say. An empty one is an empty object; an `op` in it is ignored. A batch may hold `more_ops`.
// Requires: not Op::kExtension.
DecodedRequest DecodeRequestAs(Op op, absl::string_view body,
                               absl::Span<const std::string> more_ops = {});
// The same for the operation `op` of a NodeExtension.
DecodedRequest DecodeExtensionRequest(absl::string_view op, absl::string_view body);

// Appends the reply's line, newline included, to `out`. `seq` as the request had it.
void EncodeReply(const Reply& reply, absl::string_view seq, std::string& out);

// --- A client's side.

// Appends the request's line, newline included, to `out`.
void EncodeRequest(const Request& request, std::string& out);

struct DecodedReply {
  std::string seq;  // as JSON text; empty: none
  // A failure that the node answered is a Reply that holds an absl::Status; `corrupt` here means
  // that the line is not a reply to such a request at all.
  absl::StatusOr<Reply> reply;
};

// `asked` is what the line answers: its op decides the form.
DecodedReply DecodeReply(absl::string_view line, const Request& asked);
// Only the `seq` of a reply, to find out what it answers.
std::string PeekSeq(absl::string_view line);

// --- Values that other surfaces print and read too.

// A JSON object from outside. `invalid_argument` when it is not one or is too large.
absl::StatusOr<Metadata> ParseMetadata(absl::string_view json);
std::string FormatMetadata(const Metadata& metadata);

// An id as JSON text, as an object's metadata may hold one. `invalid_argument`.
absl::StatusOr<ObjectId> ParseObjectId(absl::string_view json);

// Any bytes as a JSON string; those that are not UTF-8 become U+FFFD.
std::string FormatString(absl::string_view bytes);

// An event as a line of a stream of events, newline included: what GET /events and --json print.
void AppendEventLine(const EventRecord& event, std::string& out);

// The reply as a JSON object, without seq and newline: what --json prints.
std::string FormatReply(const Reply& reply);

// No fewer than the bytes that EncodeRequest makes of it in a batch.
size_t RequestSizeBound(const Request& request);

}  // namespace packice
