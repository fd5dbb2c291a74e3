#include "packice/core/error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace packice {
namespace {

constexpr char kPayloadUrl[] = "packice/error-kind";

using absl::StatusCode;

constexpr ErrorInfo kTable[] = {
    {ErrorKind::kInternal, "internal", 500, StatusCode::kInternal, 1, "a bug"},
    {ErrorKind::kInvalidArgument, "invalid_argument", 400, StatusCode::kInvalidArgument, 2,
     "the request can never succeed"},
    {ErrorKind::kNotFound, "not_found", 404, StatusCode::kNotFound, 3, "no such object"},
    {ErrorKind::kAlreadyExists, "already_exists", 409, StatusCode::kAlreadyExists, 4,
     "the id is taken by a sealed object"},
    {ErrorKind::kBusy, "busy", 423, StatusCode::kAborted, 5,
     "another lease, mapping or process stands in the way"},
    {ErrorKind::kPermissionDenied, "permission_denied", 403, StatusCode::kPermissionDenied, 6,
     "not your lease, wrong access, no token"},
    {ErrorKind::kCorrupt, "corrupt", 500, StatusCode::kDataLoss, 7,
     "stored bytes fail their check"},
    {ErrorKind::kIo, "io", 500, StatusCode::kUnknown, 8,
     "the operating system failed a read or write"},
    {ErrorKind::kRetentionGap, "retention_gap", 410, StatusCode::kOutOfRange, 9,
     "the events asked for are gone"},
    {ErrorKind::kLeaseExpired, "lease_expired", 410, StatusCode::kFailedPrecondition, 10,
     "the lease is unknown or over"},
    {ErrorKind::kCapacity, "capacity", 507, StatusCode::kResourceExhausted, 11,
     "no room, and nothing may be evicted"},
    {ErrorKind::kUnavailable, "unavailable", 503, StatusCode::kUnavailable, 12,
     "a peer, tracker or store cannot be reached"},
    {ErrorKind::kUnsupported, "unsupported", 501, StatusCode::kUnimplemented, 13,
     "unknown format version or feature"},
    {ErrorKind::kNotSealed, "not_sealed", 409, StatusCode::kFailedPrecondition, 14,
     "the object is still being created"},
    {ErrorKind::kTimeout, "timeout", 504, StatusCode::kDeadlineExceeded, 124,
     "wait_seconds or a deadline passed"},
};

}  // namespace

absl::Span<const ErrorInfo> ErrorTable() { return kTable; }

const ErrorInfo& InfoOf(ErrorKind kind) { return kTable[static_cast<size_t>(kind)]; }

absl::optional<ErrorKind> ErrorKindFromName(absl::string_view name) {
  for (const ErrorInfo& info : kTable) {
    if (info.name == name) return info.kind;
  }
  return absl::nullopt;
}

absl::Status MakeError(ErrorKind kind, absl::string_view message) {
  const ErrorInfo& info = InfoOf(kind);
  absl::Status status(info.grpc, message);
  status.SetPayload(kPayloadUrl, absl::Cord(info.name));
  return status;
}

ErrorKind KindOf(const absl::Status& status) {
  if (absl::optional<absl::Cord> name = status.GetPayload(kPayloadUrl)) {
    if (auto kind = ErrorKindFromName(std::string(*name))) return *kind;
  }
  for (const ErrorInfo& info : kTable) {
    if (info.grpc == status.code()) return info.kind;
  }
  return ErrorKind::kInternal;
}

absl::Status ErrnoError(int error, absl::string_view what) {
  ErrorKind kind = ErrorKind::kIo;
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case ETOOMANYREFS:
      kind = ErrorKind::kCapacity;
      break;
    case EACCES:
    case EPERM:
      kind = ErrorKind::kPermissionDenied;
      break;
    default:
      break;
  }
  return MakeError(kind, absl::StrCat(what, ": ", std::strerror(error)));
}

}  // namespace packice
