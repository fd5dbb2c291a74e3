// Error kinds: the one vocabulary in which every public failure of Packice is told.
//
// A failure travels as an absl::Status that carries an ErrorKind as a payload. The table below
// fixes, once, each kind's name, HTTP status, gRPC code and process exit code; no surface keeps a
// mapping of its own. All functions here are thread-safe and do not block.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace packice {

enum class ErrorKind {
  kInternal,
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kBusy,
  kPermissionDenied,
  kCorrupt,
  kIo,
  kRetentionGap,
  kLeaseExpired,
  kCapacity,
  kUnavailable,
  kUnsupported,
  kNotSealed,
  kTimeout,
};

// One row of the table.
struct ErrorInfo {
  ErrorKind kind;
  absl::string_view name;     // as on the wire and on stderr: "not_found"
  int http_status;            // RFC 9110, or 423 and 507 from RFC 4918
  absl::StatusCode grpc;      // absl's codes are numbered as gRPC's
  int exit_code;              // of the CLI
  absl::string_view meaning;  // a line for documents and --help
};

// All kinds, in the order of the enum.
absl::Span<const ErrorInfo> ErrorTable();

const ErrorInfo& InfoOf(ErrorKind kind);

// The kind called `name` on the wire, if there is one.
absl::optional<ErrorKind> ErrorKindFromName(absl::string_view name);

// A failure of `kind`. The message says what was asked, what stood in the way and what to do.
absl::Status MakeError(ErrorKind kind, absl::string_view message);

// The kind of a failure. A status that was not made by MakeError gets the kind nearest to its code.
// Requires: !status.ok().
ErrorKind KindOf(const absl::Status& status);

// The failure of a system call: `what` was tried and errno is `error`. Exhausted descriptors,
// memory or disk are `capacity`; EACCES and EPERM are `permission_denied`; anything else is `io`.
absl::Status ErrnoError(int error, absl::string_view what);

}  // namespace packice
