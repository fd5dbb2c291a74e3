#include "packice/core/object_id.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

absl::StatusOr<ObjectId> ObjectId::Parse(absl::string_view bytes) {
  if (bytes.empty() || bytes.size() > kMaxBytes) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat("an object id has 1 to ", kMaxBytes, " bytes, this one has ", bytes.size()));
  }
  return ObjectId(bytes);
}

std::string ObjectId::ToQuoted() const {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(bytes()), "\"");
}

}  // namespace packice
