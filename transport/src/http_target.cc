#include "http_target.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "codec_write.h"
#include "packice/transport/json_object.h"

namespace packice {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False for a "%" without two hexadecimal digits behind it. In a query, "+" is a space.
bool Decode(absl::string_view text, bool in_query, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && in_query) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return false;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return true;
}

struct Plain {
  absl::string_view path;
  HttpEndpoint endpoint;
  Op op;
};

constexpr Plain kPlain[] = {
    {"/acquire", HttpEndpoint::kOp, Op::kAcquire},
    {"/release", HttpEndpoint::kOp, Op::kRelease},
    {"/seal", HttpEndpoint::kOp, Op::kSeal},
    {"/discard", HttpEndpoint::kOp, Op::kDiscard},
    {"/renew", HttpEndpoint::kOp, Op::kRenew},
    {"/relocate", HttpEndpoint::kOp, Op::kRelocate},
    {"/batch", HttpEndpoint::kOp, Op::kBatch},
    {"/version", HttpEndpoint::kVersion, Op::kHello},
    {"/objects", HttpEndpoint::kObjects, Op::kList},
    {"/stats", HttpEndpoint::kStats, Op::kStats},
    {"/events", HttpEndpoint::kEvents, Op::kEvents},
    {"/healthz", HttpEndpoint::kHealth, Op::kStats},
    {"/metrics", HttpEndpoint::kMetrics, Op::kStats},
    {"/openapi.json", HttpEndpoint::kOpenApi, Op::kHello},
};

bool ParseObjectPath(absl::string_view rest, HttpTarget& target) {
  target.endpoint =
      absl::ConsumeSuffix(&rest, "/data") ? HttpEndpoint::kObjectData : HttpEndpoint::kObject;
  return Decode(rest, /*in_query=*/false, target.id);
}

// {lease_id}/blobs/{n}[/sums]
void ParseBlobPath(absl::string_view rest, HttpTarget& target) {
  const HttpEndpoint endpoint =
      absl::ConsumeSuffix(&rest, "/sums") ? HttpEndpoint::kSums : HttpEndpoint::kBlob;
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) return;
  target.lease_id = std::string(rest.substr(0, slash));
  rest.remove_prefix(slash);
  if (!absl::ConsumePrefix(&rest, "/blobs/") || rest.empty() || rest.size() > 9) return;
  for (const char c : rest) {
    if (c < '0' || c > '9') return;
  }
  if (absl::SimpleAtoi(rest, &target.blob)) target.endpoint = endpoint;
}

// False as Decode.
bool ParseExtensionPath(absl::string_view path, absl::Span<const NodeExtension::Route> routes,
                        HttpTarget& target) {
  for (const NodeExtension::Route& route : routes) {
    absl::string_view rest = path;
    if (!absl::ConsumePrefix(&rest, route.path)) continue;
    const bool goes_on = absl::ConsumePrefix(&rest, "/") && !rest.empty();
    if (route.member.empty() ? path != route.path : !goes_on) continue;
    target.endpoint = route.post ? HttpEndpoint::kExtensionPost : HttpEndpoint::kExtensionQuery;
    target.extension.op = route.op;
    if (route.member.empty()) return true;
    std::string value;
    if (!Decode(rest, /*in_query=*/false, value)) return false;
    target.id = value;
    target.extension.json = JsonObject().Text(route.member, value).ToText();
    return true;
  }
  return true;
}

bool ParseQuery(absl::string_view query, HttpTarget& target) {
  while (!query.empty()) {
    const absl::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    auto& [name, value] = target.query.emplace_back();
    if (!Decode(pair.substr(0, equals), /*in_query=*/true, name)) return false;
    if (equals < pair.size() && !Decode(pair.substr(equals + 1), /*in_query=*/true, value)) {
      return false;
    }
  }
  return true;
}

// What stands in front of the path in the absolute form (RFC 9112, 3.2.2) is of no matter here.
void StripOrigin(absl::string_view& target) {
  if (!absl::StartsWithIgnoreCase(target, "http://") &&
      !absl::StartsWithIgnoreCase(target, "https://")) {
    return;
  }
  target.remove_prefix(target.find("//") + 2);
  const size_t path = target.find_first_of("/?");
  target = path == absl::string_view::npos ? "/" : target.substr(path);
}

HttpFailure Malformed(absl::string_view why) {
  return HttpFailure(400, ErrorKind::kInvalidArgument, absl::StrCat("the target ", why));
}

}  // namespace

absl::optional<absl::string_view> HttpTarget::Query(absl::string_view name) const {
  absl::optional<absl::string_view> found;
  for (const auto& [key, value] : query) {
    if (key == name) found = value;
  }
  return found;
}

ParsedTarget ParseTarget(absl::string_view text, absl::Span<const NodeExtension::Route> routes) {
  ParsedTarget parsed;
  HttpTarget& target = parsed.target;
  StripOrigin(text);
  const size_t question = text.find('?');
  absl::string_view path = text.substr(0, question);
  for (const Plain& plain : kPlain) {
    if (path != plain.path) continue;
    target.endpoint = plain.endpoint;
    target.op = plain.op;
  }
  bool well_formed = true;
  if (absl::ConsumePrefix(&path, "/objects/")) {
    well_formed = ParseObjectPath(path, target);
  } else if (absl::ConsumePrefix(&path, "/leases/")) {
    ParseBlobPath(path, target);
  } else if (target.endpoint == HttpEndpoint::kUnknown) {
    well_formed = ParseExtensionPath(path, routes, target);
  }
  if (question != absl::string_view::npos) {
    well_formed = well_formed && ParseQuery(text.substr(question + 1), target);
  }
  if (well_formed && !json::IsUtf8(target.id)) {
    parsed.failure = Malformed("names an object by bytes that are not UTF-8");
  } else if (!well_formed) {
    parsed.failure = Malformed("has a \"%\" that two hexadecimal digits do not follow");
  }
  return parsed;
}

std::vector<NodeExtension::Route> RoutesOf(const NodeExtension* extension) {
  if (extension == nullptr) return {};
  std::vector<NodeExtension::Route> routes = extension->Routes();
  for (const std::string& op : extension->Ops()) {
    routes.push_back({true, absl::StrCat("/ops/", op), op});
  }
  return routes;
}

absl::string_view AllowedMethods(HttpEndpoint endpoint) {
  switch (endpoint) {
    case HttpEndpoint::kUnknown:
      return "";
    case HttpEndpoint::kOp:
    case HttpEndpoint::kExtensionPost:
      return "POST";
    case HttpEndpoint::kObject:
      return "GET, HEAD, PUT, DELETE";
    case HttpEndpoint::kBlob:
      return "GET, HEAD, PUT";
    case HttpEndpoint::kEvents:
      return "GET, HEAD, POST";
    default:
      return "GET, HEAD";
  }
}

bool IsAllowed(HttpEndpoint endpoint, HttpMethod method) {
  switch (method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      return endpoint != HttpEndpoint::kOp && endpoint != HttpEndpoint::kExtensionPost &&
             endpoint != HttpEndpoint::kUnknown;
    case HttpMethod::kPost:
      return endpoint == HttpEndpoint::kOp || endpoint == HttpEndpoint::kEvents ||
             endpoint == HttpEndpoint::kExtensionPost;
    case HttpMethod::kPut:
      return endpoint == HttpEndpoint::kObject || endpoint == HttpEndpoint::kBlob;
    case HttpMethod::kDelete:
      return endpoint == HttpEndpoint::kObject;
    case HttpMethod::kOther:
      return false;
  }
  return false;
}

std::string EncodePath(absl::string_view id) {
  constexpr absl::string_view kUnreserved = "-._~/";
  std::string path;
  for (const char c : id) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kUnreserved.find(c) != absl::string_view::npos;
    if (plain) {
      path.push_back(c);
    } else {
      absl::StrAppend(&path, "%", absl::BytesToHexString(absl::string_view(&c, 1)));
    }
  }
  // The last segment must not be taken for the endpoint of that name.
  if (absl::EndsWith(path, "/data")) path.replace(path.size() - 5, 1, "%2F");
  return path;
}

}  // namespace packice
