#include "absl/strings/str_cat.h"
#include "codec_fields.h"
#include "codec_json.h"
#include "codec_write.h"
#include "packice/transport/codec.h"

namespace packice {

absl::StatusOr<Metadata> ParseMetadata(absl::string_view text) {
  // So that it can be sent: an acquire has it one level deeper, in a batch three.
  constexpr size_t kMaxDepth = 29;
  json::Document document;
  if (!document.Parse(text, kMaxDepth)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("the metadata is not JSON: ", document.error()));
  }
  if (document.root()->type != json::Type::kObject) {
    return MakeError(ErrorKind::kInvalidArgument, "the metadata must be a JSON object");
  }
  Metadata metadata = json::ReadMetadata(*document.root());
  if (absl::Status status = metadata.CheckSize(); !status.ok()) return status;
  return metadata;
}

std::string FormatMetadata(const Metadata& metadata) {
  std::string text;
  json::AppendMetadata(metadata, text);
  return text;
}

absl::StatusOr<ObjectId> ParseObjectId(absl::string_view text) {
  json::Document document;
  if (!document.Parse(text, 1) || document.root()->type != json::Type::kString) {
    return MakeError(ErrorKind::kInvalidArgument, "an object's id must be a JSON string");
  }
  return ObjectId::Parse(document.root()->text());
}

std::string FormatString(absl::string_view bytes) {
  std::string text;
  json::AppendString(bytes, text);
  return text;
}

}  // namespace packice
