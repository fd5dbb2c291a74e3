// A short cut for the usual messages, in just the form that this codec's own encoders write.
//
// Acquire, put, seal, release and their answers are nearly all of a node's traffic;
// recognising them as text costs a fifth of parsing them as JSON. Whatever differs by a byte is for
// the general reader, which alone decides what is an error: these functions only ever agree with it
// (codec_usual_test, request_fuzzer).
#pragma once

#include "absl/strings/string_view.h"
#include "packice/transport/protocol.h"

namespace packice::json {

// False when the line is not one of the usual requests, nor a batch of them; `request` is then to
// be thrown away.
bool ReadUsualRequest(absl::string_view line, Request& request);

// The same for a body whose op is known from elsewhere.
bool ReadUsualBody(Op op, absl::string_view body, Request& request);

// The same for the answer to an acquire, with a single descriptor.
bool ReadUsualGrant(absl::string_view line, GrantReply& grant);

// The same for the answer to a batch of acquires that were all granted.
bool ReadUsualGrants(absl::string_view line, const BatchRequest& asked, BatchReply& grants);

// The same for the answer to a seal or a put.
bool ReadUsualSealed(absl::string_view line, Sealed& sealed);

}  // namespace packice::json
