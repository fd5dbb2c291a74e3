// Failures over gRPC: the code is that of the table in core/error.h, and because several kinds
// share a code, the kind's name travels beside it in the trailing metadata. The message stays plain
// text. Thread-safe functions.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace packice {

inline constexpr char kErrorKindKey[] = "packice-error";

// Of a call's answer: adds the kind to the trailing metadata.
grpc::Status ToGrpc(const absl::Status& status, grpc::ServerContextBase& context);

// The failure as it was made. One that tells no kind is gRPC's own: a call that `who` did not
// answer in time or at all is `unavailable`.
absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context,
                      absl::string_view who);

}  // namespace packice
