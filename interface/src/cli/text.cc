#include "cli/text.h"

#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

struct Unit {
  absl::string_view name;
  double bytes;
};

constexpr std::array<Unit, 18> kUnits = {{{"", 1},
                                          {"B", 1},
                                          {"K", 1024.0},
                                          {"Ki", 1024.0},
                                          {"KiB", 1024.0},
                                          {"KB", 1e3},
                                          {"M", 1048576.0},
                                          {"Mi", 1048576.0},
                                          {"MiB", 1048576.0},
                                          {"MB", 1e6},
                                          {"G", 1073741824.0},
                                          {"Gi", 1073741824.0},
                                          {"GiB", 1073741824.0},
                                          {"GB", 1e9},
                                          {"T", 1099511627776.0},
                                          {"Ti", 1099511627776.0},
                                          {"TiB", 1099511627776.0},
                                          {"TB", 1e12}}};

// The length of the UTF-8 sequence that `text` starts with; 0 when it starts with none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  size_t length = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) length = 2;
  if (lead >= 0xE0 && lead < 0xF0) length = 3;
  if (lead >= 0xF0 && lead < 0xF5) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool too_large = (lead == 0xED && second >= 0xA0) || (lead == 0xF4 && second >= 0x90);
  return overlong || too_large ? 0 : length;
}

bool IsControl(absl::string_view character) {
  const unsigned char lead = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return lead < 0x20 || lead == 0x7F;
  return lead == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // U+0080 to U+009F
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && (absl::ascii_isdigit(text[digits]) || text[digits] == '.')) {
    ++digits;
  }
  const absl::string_view number = text.substr(0, digits);
  const absl::string_view name = absl::StripAsciiWhitespace(text.substr(digits));
  uint64_t whole = 0;
  if (name.empty() && absl::SimpleAtoi(number, &whole)) return whole;
  double value = 0;
  for (const Unit& unit : kUnits) {
    if (!absl::EqualsIgnoreCase(unit.name, name) || !absl::SimpleAtod(number, &value)) continue;
    const double bytes = value * unit.bytes;
    if (bytes >= 0 && bytes < std::ldexp(1.0, 63)) return static_cast<uint64_t>(bytes);
  }
  return MakeError(
      ErrorKind::kInvalidArgument,
      absl::StrCat("\"", Printable(text), "\" is not a size, as 4096, 64K, 1.5GiB are"));
}

std::string SizeText(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", value, unit);
}

std::string DurationText(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  const int64_t days = seconds / 86400;
  const int64_t hours = seconds / 3600 % 24;
  const int64_t minutes = seconds / 60 % 60;
  if (days > 0) {
    return absl::StrFormat("%d d %d:%02d:%02d", days, hours, minutes, seconds % 60);
  }
  if (hours > 0) return absl::StrFormat("%d:%02d:%02d", hours, minutes, seconds % 60);
  return absl::StrFormat("%d:%02d", minutes, seconds % 60);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const absl::string_view character = text.substr(0, length == 0 ? 1 : length);
    text.remove_prefix(character.size());
    if (character == "\n") {
      out += "\\n";
    } else if (character == "\t") {
      out += "\\t";
    } else if (character == "\\") {
      out += "\\\\";
    } else if (length == 0 || IsControl(character)) {
      for (const char c : character) {
        absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
      }
    } else {
      absl::StrAppend(&out, character);
    }
  }
  return out;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

}  // namespace packice::cli
