#include "packice/transport/json_value.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "codec_json.h"
#include "codec_write.h"
#include "packice/core/error.h"
#include "packice/transport/json_object.h"

namespace packice {

struct JsonValueReader {
  static JsonValue Read(const json::Node& node) {
    using Type = JsonValue::Type;
    JsonValue value;
    switch (node.type) {
      case json::Type::kNull:
        break;
      case json::Type::kFalse:
      case json::Type::kTrue:
        value.type_ = Type::kBool;
        value.text_ = node.type == json::Type::kTrue ? "true" : "false";
        break;
      case json::Type::kNumber:
      case json::Type::kString:
        value.type_ = node.type == json::Type::kNumber ? Type::kNumber : Type::kString;
        value.text_ = std::string(node.text());
        break;
      case json::Type::kList:
        value.type_ = Type::kList;
        for (const json::Node* entry = node.begin(); entry != node.end(); entry = entry->next()) {
          value.items_.push_back(Read(*entry));
        }
        break;
      case json::Type::kObject:
        value.type_ = Type::kObject;
        json::ForEachMember(node, [&](absl::string_view name, const json::Node& member) {
          value.names_.emplace_back(name);
          value.items_.push_back(Read(member));
        });
        break;
    }
    return value;
  }
};

absl::StatusOr<JsonValue> JsonValue::Parse(absl::string_view text) {
  constexpr size_t kMaxDepth = 64;
  json::Document document;
  if (document.Parse(text, kMaxDepth)) return JsonValueReader::Read(*document.root());
  return MakeError(ErrorKind::kInvalidArgument, absl::StrCat("it is not JSON: ", document.error()));
}

absl::string_view JsonValue::text() const {
  return type_ == Type::kString || type_ == Type::kNumber ? text_ : absl::string_view();
}

absl::optional<double> JsonValue::number() const {
  double value = 0;
  if (type_ != Type::kNumber || !absl::SimpleAtod(text_, &value)) return absl::nullopt;
  return value;
}

absl::optional<uint64_t> JsonValue::integer() const {
  uint64_t value = 0;
  if (type_ != Type::kNumber || !absl::SimpleAtoi(text_, &value)) return absl::nullopt;
  return value;
}

absl::Span<const JsonValue> JsonValue::list() const {
  return type_ == Type::kList ? absl::MakeConstSpan(items_) : absl::Span<const JsonValue>();
}

const JsonValue& JsonValue::operator[](absl::string_view name) const {
  static const JsonValue& null = *new JsonValue;
  if (type_ != Type::kObject) return null;
  for (size_t i = names_.size(); i-- > 0;) {
    if (names_[i] == name) return items_[i];
  }
  return null;
}

std::string JsonValue::ToText() const {
  std::string out;
  switch (type_) {
    case Type::kNull:
      return "null";
    case Type::kBool:
    case Type::kNumber:
      return text_;
    case Type::kString:
      json::AppendString(text_, out);
      return out;
    case Type::kList:
      for (const JsonValue& item : items_) {
        absl::StrAppend(&out, out.empty() ? "[" : ",", item.ToText());
      }
      return out.empty() ? "[]" : out + "]";
    case Type::kObject:
      break;
  }
  JsonObject object;
  for (size_t i = 0; i < items_.size(); ++i) object.Json(names_[i], items_[i].ToText());
  return object.ToText();
}

}  // namespace packice
