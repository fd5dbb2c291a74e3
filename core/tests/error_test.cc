#include "packice/core/error.h"

#include <cerrno>
#include <set>
#include <string>

#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using absl::StatusCode;

struct Row {
  ErrorKind kind;
  absl::string_view name;
  int http;
  StatusCode grpc;
  int exit;
};

// The protocol's table, once more and independently: what clients, scripts and dashboards rely on.
constexpr Row kProtocol[] = {
    {ErrorKind::kInternal, "internal", 500, StatusCode::kInternal, 1},
    {ErrorKind::kInvalidArgument, "invalid_argument", 400, StatusCode::kInvalidArgument, 2},
    {ErrorKind::kNotFound, "not_found", 404, StatusCode::kNotFound, 3},
    {ErrorKind::kAlreadyExists, "already_exists", 409, StatusCode::kAlreadyExists, 4},
    {ErrorKind::kBusy, "busy", 423, StatusCode::kAborted, 5},
    {ErrorKind::kPermissionDenied, "permission_denied", 403, StatusCode::kPermissionDenied, 6},
    {ErrorKind::kCorrupt, "corrupt", 500, StatusCode::kDataLoss, 7},
    {ErrorKind::kIo, "io", 500, StatusCode::kUnknown, 8},
    {ErrorKind::kRetentionGap, "retention_gap", 410, StatusCode::kOutOfRange, 9},
    {ErrorKind::kLeaseExpired, "lease_expired", 410, StatusCode::kFailedPrecondition, 10},
    {ErrorKind::kCapacity, "capacity", 507, StatusCode::kResourceExhausted, 11},
    {ErrorKind::kUnavailable, "unavailable", 503, StatusCode::kUnavailable, 12},
    {ErrorKind::kUnsupported, "unsupported", 501, StatusCode::kUnimplemented, 13},
    {ErrorKind::kNotSealed, "not_sealed", 409, StatusCode::kFailedPrecondition, 14},
    {ErrorKind::kTimeout, "timeout", 504, StatusCode::kDeadlineExceeded, 124},
};

TEST(ErrorTest, TheTableIsTheProtocols) {
  ASSERT_EQ(ErrorTable().size(), std::size(kProtocol));
  for (const Row& row : kProtocol) {
    SCOPED_TRACE(row.name);
    const ErrorInfo& info = InfoOf(row.kind);
    EXPECT_EQ(info.kind, row.kind);
    EXPECT_EQ(info.name, row.name);
    EXPECT_EQ(info.http_status, row.http);
    EXPECT_EQ(info.grpc, row.grpc);
    EXPECT_EQ(info.exit_code, row.exit);
    EXPECT_FALSE(info.meaning.empty());
    EXPECT_EQ(ErrorKindFromName(row.name), row.kind);
  }
}

TEST(ErrorTest, ExitCodesTellKindsApart) {
  std::set<int> codes;
  for (const ErrorInfo& info : ErrorTable()) codes.insert(info.exit_code);
  EXPECT_EQ(codes.size(), ErrorTable().size());
  EXPECT_EQ(codes.count(0), 0u);
}

TEST(ErrorTest, AnUnknownNameIsNoKind) {
  EXPECT_EQ(ErrorKindFromName("no_such_kind"), absl::nullopt);
  EXPECT_EQ(ErrorKindFromName(""), absl::nullopt);
  EXPECT_EQ(ErrorKindFromName("NOT_FOUND"), absl::nullopt);
}

TEST(ErrorTest, AnErrorKeepsItsKindAndMessage) {
  for (const ErrorInfo& info : ErrorTable()) {
    const absl::Status status = MakeError(info.kind, "why");
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(KindOf(status), info.kind) << "also where several kinds share a code";
    EXPECT_EQ(status.code(), info.grpc);
    EXPECT_EQ(status.message(), "why");
  }
}

TEST(ErrorTest, AForeignStatusGetsTheNearestKind) {
  EXPECT_EQ(KindOf(absl::NotFoundError("")), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(absl::ResourceExhaustedError("")), ErrorKind::kCapacity);
  EXPECT_EQ(KindOf(absl::DeadlineExceededError("")), ErrorKind::kTimeout);
  EXPECT_EQ(KindOf(absl::InternalError("")), ErrorKind::kInternal);
  EXPECT_EQ(KindOf(absl::CancelledError("")), ErrorKind::kInternal) << "none is near";
}

TEST(ErrorTest, SystemErrorsFallIntoThreeKinds) {
  for (int error : {EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, ETOOMANYREFS}) {
    EXPECT_THAT(ErrnoError(error, "x"), HasKind(ErrorKind::kCapacity)) << error;
  }
  for (int error : {EACCES, EPERM}) {
    EXPECT_THAT(ErrnoError(error, "x"), HasKind(ErrorKind::kPermissionDenied)) << error;
  }
  for (int error : {EIO, EBADF, EINVAL, EPIPE}) {
    EXPECT_THAT(ErrnoError(error, "x"), HasKind(ErrorKind::kIo)) << error;
  }
  EXPECT_EQ(ErrnoError(ENOSPC, "cannot write").message(), "cannot write: No space left on device");
}

}  // namespace
}  // namespace packice
