#include "packice/transport/json_object.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec_write.h"

namespace packice {

void JsonObject::Name(absl::string_view name) {
  if (text_.size() > 1) text_.push_back(',');
  json::AppendString(name, text_);
  text_.push_back(':');
}

JsonObject& JsonObject::Text(absl::string_view name, absl::string_view value) {
  Name(name);
  json::AppendString(value, text_);
  return *this;
}

JsonObject& JsonObject::Integer(absl::string_view name, uint64_t value) {
  Name(name);
  json::AppendUnsigned(value, text_);
  return *this;
}

JsonObject& JsonObject::Number(absl::string_view name, double value) {
  Name(name);
  absl::StrAppend(&text_, std::isfinite(value) ? absl::StrCat(value) : "null");
  return *this;
}

JsonObject& JsonObject::Flag(absl::string_view name, bool value) {
  return Json(name, value ? "true" : "false");
}

JsonObject& JsonObject::Seconds(absl::string_view name, absl::Duration value) {
  Name(name);
  json::AppendSeconds(value, text_);
  return *this;
}

JsonObject& JsonObject::Json(absl::string_view name, absl::string_view json) {
  Name(name);
  absl::StrAppend(&text_, json);
  return *this;
}

JsonObject& JsonObject::List(absl::string_view name, const std::vector<std::string>& json) {
  return Json(name, absl::StrCat("[", absl::StrJoin(json, ","), "]"));
}

}  // namespace packice
