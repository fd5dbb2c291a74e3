#include "grpc_error.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

ErrorKind KindOfTransport(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return ErrorKind::kUnavailable;
    case grpc::StatusCode::UNAUTHENTICATED:
      return ErrorKind::kPermissionDenied;
    default:
      return KindOf(absl::Status(static_cast<absl::StatusCode>(code), ""));
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, grpc::ServerContextBase& context) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorInfo& info = InfoOf(KindOf(status));
  context.AddTrailingMetadata(kErrorKindKey, std::string(info.name));
  return grpc::Status(static_cast<grpc::StatusCode>(info.grpc), std::string(status.message()));
}

absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context,
                      absl::string_view who) {
  if (status.ok()) return absl::OkStatus();
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto told = trailing.find(kErrorKindKey);
  if (told != trailing.end()) {
    const auto kind =
        ErrorKindFromName(absl::string_view(told->second.data(), told->second.size()));
    if (kind) return MakeError(*kind, status.error_message());
  }
  return MakeError(KindOfTransport(status.error_code()),
                   absl::StrCat("no answer of ", who, ": ", status.error_message()));
}

}  // namespace packice
