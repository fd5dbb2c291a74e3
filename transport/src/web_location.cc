#include "web_location.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "http_address.h"
#include "packice/core/error.h"

namespace packice {
namespace {

bool LeadsElsewhere(absl::string_view segment) {
  return segment.empty() || segment == "." || segment == "..";
}

absl::Status Wrong(absl::string_view url, absl::string_view why) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("\"", url, "\" is no place on a web server: ", why,
                                "; write http://host:port/path or https://host/path"));
}

}  // namespace

absl::StatusOr<WebBase> WebBase::Parse(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == absl::string_view::npos) return Wrong(url, "it has no scheme");
  const size_t slash = url.find('/', scheme + 3);
  const absl::string_view server = url.substr(0, slash);
  absl::string_view path = slash == absl::string_view::npos ? "" : url.substr(slash);
  absl::ConsumeSuffix(&path, "/");

  absl::StatusOr<HttpAddress> address = HttpAddress::Parse(server);
  if (!address.ok()) return address.status();
  for (const char c : path) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '?' || c == '#') {
      return Wrong(url, "its path has a character that no path has; escape it");
    }
  }
  if (!path.empty()) {
    for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
      if (LeadsElsewhere(segment)) return Wrong(url, "its path has an empty or a dot segment");
    }
  }
  return WebBase{address->ToString(), std::string(path)};
}

absl::StatusOr<std::string> WebBase::TargetOf(const ObjectId& id) const {
  std::string target = path;
  for (const absl::string_view segment : absl::StrSplit(id.bytes(), '/')) {
    if (LeadsElsewhere(segment)) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat("object ", id.ToQuoted(),
                                    " is no path on a web server: it has an empty or a dot "
                                    "segment"));
    }
    absl::StrAppend(&target, "/", PercentEncode(segment));
  }
  return target;
}

}  // namespace packice
