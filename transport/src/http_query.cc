#include "http_query.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "codec_write.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

void AppendMember(absl::string_view name, absl::string_view json, std::string& body) {
  absl::StrAppend(&body, body.empty() ? "{" : ",", "\"", name, "\":", json);
}

// As JSON text: the codec says what is wrong with it.
bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() < 64 &&
         text.find_first_not_of("0123456789+-.eE") == absl::string_view::npos;
}

void AppendText(absl::string_view name, absl::string_view value, std::string& body) {
  std::string json;
  json::AppendString(value, json);
  AppendMember(name, json, body);
}

// A parameter that holds no number is passed on as a string, which the codec refuses by name.
void AppendNumber(absl::string_view name, absl::string_view value, std::string& body) {
  if (IsNumber(value)) return AppendMember(name, value, body);
  AppendText(name, value, body);
}

}  // namespace

// Through the JSON form, so that limits, rounding and messages are the same on every transport.
absl::StatusOr<ListRequest> ListFromQuery(const HttpTarget& target) {
  std::string body;
  if (const auto limit = target.Query("limit")) AppendNumber("limit", *limit, body);
  absl::StatusOr<Request> request =
      DecodeRequestAs(Op::kList, body.empty() ? "" : absl::StrCat(body, "}")).request;
  if (!request.ok()) return request.status();
  auto& list = absl::get<ListRequest>(request->body);
  // Bytes, which JSON could not carry.
  list.prefix = std::string(target.Query("prefix").value_or(""));
  list.after = std::string(target.Query("after").value_or(""));
  return std::move(list);
}

absl::StatusOr<EventsRequest> EventsFromQuery(const HttpTarget& target) {
  std::string body;
  for (const absl::string_view name : {"after", "limit", "wait_seconds"}) {
    if (const auto value = target.Query(name)) AppendNumber(name, *value, body);
  }
  if (const auto kinds = target.Query("kinds")) {
    std::string list;
    for (const absl::string_view kind : absl::StrSplit(*kinds, ',', absl::SkipEmpty())) {
      list.push_back(list.empty() ? '[' : ',');
      json::AppendString(kind, list);
    }
    AppendMember("kinds", list.empty() ? "[]" : absl::StrCat(list, "]"), body);
  }
  absl::StatusOr<Request> request =
      DecodeRequestAs(Op::kEvents, body.empty() ? "" : absl::StrCat(body, "}")).request;
  if (!request.ok()) return request.status();
  return absl::get<EventsRequest>(request->body);
}

absl::StatusOr<AcquireRequest> CreateFromQuery(const HttpTarget& target,
                                               const HttpRequest& request) {
  absl::StatusOr<ObjectId> id = ObjectId::Parse(target.id);
  if (!id.ok()) return id.status();
  std::string body;
  AppendMember("intent", "\"create\"", body);
  if (const auto ttl = target.Query("object_ttl_seconds")) {
    AppendNumber("object_ttl_seconds", *ttl, body);
  }
  if (!request.chunked) {
    AppendMember("size", absl::StrCat(request.content_length.value_or(0)), body);
  }
  absl::StatusOr<Request> decoded = DecodeRequestAs(Op::kAcquire, absl::StrCat(body, "}")).request;
  if (!decoded.ok()) return decoded.status();
  auto& create = absl::get<AcquireRequest>(decoded->body);
  create.object_id = *std::move(id);
  const absl::string_view meta = target.Query("meta").value_or(request.metadata);
  if (!meta.empty()) {
    absl::StatusOr<Metadata> metadata = ParseMetadata(meta);
    if (!metadata.ok()) return metadata.status();
    create.metadata = *std::move(metadata);
  }
  return std::move(create);
}

}  // namespace packice
