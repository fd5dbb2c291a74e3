#include "http_version.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "http_range.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// A weak one may stand for several states, and no condition of a range takes it.
bool IsStrong(absl::string_view etag) { return absl::StartsWith(etag, "\""); }

absl::Status Changed(const std::string& target) {
  return MakeError(ErrorKind::kBusy,
                   absl::StrCat(target,
                                " has changed on its server since it was acquired; acquire "
                                "it anew"));
}

ErrorKind KindOfStatus(unsigned status) {
  switch (status) {
    case 400:
    case 414:
    case 431:
      return ErrorKind::kInvalidArgument;
    case 401:
    case 403:
    case 407:
      return ErrorKind::kPermissionDenied;
    case 404:
    case 410:
      return ErrorKind::kNotFound;
    case 408:
    case 504:
      return ErrorKind::kTimeout;
    case 429:  // too many requests
      return ErrorKind::kUnavailable;
    default:
      return status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kUnsupported;
  }
}

}  // namespace

bool HttpVersion::telling() const { return IsStrong(etag) || !last_modified.empty(); }

std::string HttpVersion::Conditions() const {
  if (IsStrong(etag)) return absl::StrCat("If-Match: ", etag, "\r\nIf-Range: ", etag, "\r\n");
  // No If-Range: a date is too coarse to be one unless it is known to be old (RFC 9110, 13.1.5).
  if (!last_modified.empty()) return absl::StrCat("If-Unmodified-Since: ", last_modified, "\r\n");
  return "";
}

absl::Status HttpVersion::Check(const HttpAnswer& answer, const std::string& target) const {
  if (answer.status == 412 || answer.status == 416) return Changed(target);
  if (answer.status == 200) {
    // To a condition that it does not hold, or by a server that has stopped to know ranges.
    const bool same = answer.etag == etag && answer.last_modified == last_modified;
    if (!same) return Changed(target);
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("the server does not answer with ranges of ", target));
  }
  if (answer.status != 206) return FailureOfFile(answer, target);
  // A server may leave one out of a 206, but not both that it has told before.
  const bool same = (answer.etag.empty() || answer.etag == etag) &&
                    (answer.last_modified.empty() || answer.last_modified == last_modified);
  if (!same) return Changed(target);
  if (answer.etag.empty() && answer.last_modified.empty()) {
    return MakeError(
        ErrorKind::kUnsupported,
        absl::StrCat("the server does not tell which state of ", target, " a range is of"));
  }
  const absl::optional<uint64_t> total = TotalOf(answer.content_range);
  if (total && *total != size) {
    if (!IsStrong(answer.etag)) return Changed(target);  // within a second
    return MakeError(ErrorKind::kCorrupt, absl::StrCat("the server says that ", target, " has ",
                                                       size, " bytes, and ", *total, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status FailureOfFile(const HttpAnswer& answer, const std::string& target) {
  std::string message = absl::StrCat("the server answers ", answer.status, " for ", target);
  if (!answer.location.empty()) {
    absl::StrAppend(&message, "; name ", answer.location, ", where it leads, as the server");
  }
  return MakeError(KindOfStatus(answer.status), message);
}

absl::optional<uint64_t> TotalOf(absl::string_view content_range) {
  uint64_t total = 0;
  if (!ParseContentRange(content_range)) return absl::nullopt;
  if (!absl::SimpleAtoi(content_range.substr(content_range.find('/') + 1), &total)) {
    return absl::nullopt;
  }
  return total;
}

}  // namespace packice
