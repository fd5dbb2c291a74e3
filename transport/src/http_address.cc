#include "http_address.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "packice/core/error.h"

namespace packice {
namespace {

absl::Status Wrong(absl::string_view url, absl::string_view why) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("\"", url, "\" names no node: ", why,
                                "; write http://host:port or https://host:port"));
}

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
         c == ':' || c == '%';
}

}  // namespace

absl::StatusOr<HttpAddress> HttpAddress::Parse(absl::string_view url) {
  HttpAddress address;
  absl::string_view rest = url;
  if (absl::ConsumePrefix(&rest, "https://")) {
    address.tls = true;
  } else if (!absl::ConsumePrefix(&rest, "http://")) {
    return Wrong(url, "it is neither http:// nor https://");
  }
  absl::ConsumeSuffix(&rest, "/");
  if (rest.find_first_of("/?#") != absl::string_view::npos) {
    return Wrong(url, "a node has no path");
  }
  if (absl::StrContains(rest, '@')) return Wrong(url, "a node takes a token, no user and password");

  absl::string_view host = rest;
  absl::string_view port;
  const bool bracketed = absl::ConsumePrefix(&host, "[");
  if (bracketed) {
    const size_t end = host.find(']');
    if (end == absl::string_view::npos) return Wrong(url, "a bracket is missing");
    port = host.substr(end + 1);
    host = host.substr(0, end);
  } else if (const size_t colon = host.find(':'); colon != absl::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty()) return Wrong(url, "it has no host");
  for (const char c : host) {
    if (!IsHostCharacter(c)) return Wrong(url, "the host has a character that no host has");
  }
  uint32_t number = address.tls ? 443 : 80;
  if (!port.empty()) {
    absl::ConsumePrefix(&port, ":");
    if (!absl::SimpleAtoi(port, &number) || number == 0 || number > 65535) {
      return Wrong(url, "the port is no number from 1 to 65535");
    }
  }
  address.host = std::string(host);
  address.port = absl::StrCat(number);
  address.authority =
      bracketed ? absl::StrCat("[", host, "]:", number) : absl::StrCat(host, ":", number);
  return address;
}

std::string HttpAddress::ToString() const {
  return absl::StrCat(tls ? "https://" : "http://", authority);
}

std::string PercentEncode(absl::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  return out;
}

}  // namespace packice
