#include "http_range.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace packice {
namespace {

bool IsDigits(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// UINT64_MAX for numbers beyond it, which no size reaches.
absl::optional<uint64_t> ParseDigits(absl::string_view text) {
  if (!IsDigits(text)) return absl::nullopt;
  uint64_t value;
  return absl::SimpleAtoi(text, &value) ? value : UINT64_MAX;
}

}  // namespace

RangeAnswer ResolveRange(absl::string_view header, uint64_t size) {
  constexpr absl::string_view kUnit = "bytes=";
  RangeAnswer answer;
  if (!absl::StartsWithIgnoreCase(header, kUnit)) return answer;
  const absl::string_view spec = absl::StripAsciiWhitespace(header.substr(kUnit.size()));
  const size_t dash = spec.find('-');
  if (dash == absl::string_view::npos) return answer;
  const absl::string_view first_text = spec.substr(0, dash);
  const absl::string_view last_text = spec.substr(dash + 1);
  const absl::optional<uint64_t> first = ParseDigits(first_text);
  const absl::optional<uint64_t> last = ParseDigits(last_text);

  uint64_t begin = 0;
  uint64_t end = size;
  if (first_text.empty() && last) {  // the last so many bytes
    begin = size - std::min(*last, size);
  } else if (first && (last || last_text.empty())) {
    if (last && *last < *first) return answer;  // no range at all
    begin = *first;
    if (last && *last < size) end = *last + 1;
  } else {
    return answer;
  }
  if (begin >= end) {
    answer.kind = RangeAnswer::Kind::kUnsatisfiable;
  } else {
    answer.kind = RangeAnswer::Kind::kPart;
    answer.range = {begin, end - begin};
  }
  return answer;
}

absl::optional<ByteRange> ParseContentRange(absl::string_view header) {
  if (!absl::StartsWithIgnoreCase(header, "bytes ")) return absl::nullopt;
  header.remove_prefix(6);
  const size_t dash = header.find('-');
  const size_t slash = header.find('/');
  if (dash == absl::string_view::npos || slash == absl::string_view::npos || slash < dash) {
    return absl::nullopt;
  }
  const auto first = ParseDigits(header.substr(0, dash));
  const auto last = ParseDigits(header.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) return absl::nullopt;
  const absl::string_view total_text = header.substr(slash + 1);
  if (total_text != "*") {
    const auto total = ParseDigits(total_text);
    if (!total || *total <= *last) return absl::nullopt;
  }
  return ByteRange{*first, *last - *first + 1};
}

std::string FormatContentRange(const absl::optional<ByteRange>& range, uint64_t size) {
  if (!range) return absl::StrCat("bytes */", size);
  return absl::StrCat("bytes ", range->offset, "-", range->offset + range->size - 1, "/", size);
}

bool HasETag(absl::string_view list, absl::string_view etag, bool strong) {
  list = absl::StripAsciiWhitespace(list);
  if (list == "*") return true;
  while (!list.empty()) {
    list = absl::StripLeadingAsciiWhitespace(list);
    if (absl::ConsumePrefix(&list, ",")) continue;
    const bool weak = absl::ConsumePrefix(&list, "W/");
    if (list.empty() || list[0] != '"') return false;
    const size_t quote = list.find('"', 1);
    if (quote == absl::string_view::npos) return false;
    if (list.substr(0, quote + 1) == etag && !(weak && strong)) return true;
    list.remove_prefix(quote + 1);
  }
  return false;
}

}  // namespace packice
