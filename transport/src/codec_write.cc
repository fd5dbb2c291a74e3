#include "codec_write.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace packice::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Bytes that stand for themselves inside of a JSON string, without a look at their neighbours.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// How many bytes the UTF-8 sequence at the start of `bytes` has; 0 when there is none (Unicode,
// table 3-7).
size_t SequenceLength(absl::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (bytes.size() < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (at(1) < low || at(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(at(i))) return 0;
  }
  return length;
}

void AppendControl(unsigned char c, std::string& out) {
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

void AppendPadded(int64_t value, int width, std::string& out) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, width);
}

// ".25" for a quarter of a second; nothing for a whole one.
void AppendFraction(int64_t nanoseconds, std::string& out) {
  if (nanoseconds == 0) return;
  out.push_back('.');
  AppendPadded(nanoseconds, 9, out);
  out.erase(out.find_last_not_of('0') + 1);
}

}  // namespace

void AppendString(absl::string_view bytes, std::string& out) {
  out.push_back('"');
  while (!bytes.empty()) {
    size_t plain = 0;
    while (plain < bytes.size() && kPlain[static_cast<unsigned char>(bytes[plain])]) ++plain;
    out.append(bytes.data(), plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;

    const unsigned char c = static_cast<unsigned char>(bytes.front());
    size_t used = 1;
    if (c < 0x80) {
      AppendControl(c, out);
    } else if (const size_t length = SequenceLength(bytes)) {
      out.append(bytes.data(), length);
      used = length;
    } else {
      out.append("\xEF\xBF\xBD");  // U+FFFD
    }
    bytes.remove_prefix(used);
  }
  out.push_back('"');
}

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = static_cast<unsigned char>(bytes[0]) < 0x80 ? 1 : SequenceLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

void AppendUnsigned(uint64_t value, std::string& out) { absl::StrAppend(&out, value); }

void AppendSeconds(absl::Duration duration, std::string& out) {
  if (duration == absl::InfiniteDuration() || duration == -absl::InfiniteDuration()) {
    out.append("null");
    return;
  }
  if (duration < absl::ZeroDuration()) {
    out.push_back('-');
    duration = -duration;
  }
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  AppendUnsigned(static_cast<uint64_t>(seconds), out);
  if (rest != absl::ZeroDuration()) AppendFraction(absl::ToInt64Nanoseconds(rest), out);
}

void AppendTime(absl::Time time, std::string& out) {
  static const absl::Time kFirst = absl::FromCivil(absl::CivilYear(0), absl::UTCTimeZone());
  static const absl::Time kLast =
      absl::FromCivil(absl::CivilYear(10000), absl::UTCTimeZone()) - absl::Nanoseconds(1);
  time = std::clamp(time, kFirst, kLast);
  const absl::TimeZone::CivilInfo info = absl::UTCTimeZone().At(time);
  const absl::CivilSecond& civil = info.cs;
  out.push_back('"');
  AppendPadded(civil.year(), 4, out);
  out.push_back('-');
  AppendPadded(civil.month(), 2, out);
  out.push_back('-');
  AppendPadded(civil.day(), 2, out);
  out.push_back('T');
  AppendPadded(civil.hour(), 2, out);
  out.push_back(':');
  AppendPadded(civil.minute(), 2, out);
  out.push_back(':');
  AppendPadded(civil.second(), 2, out);
  AppendFraction(absl::ToInt64Nanoseconds(info.subsecond), out);
  out.append("Z\"");
}

void AppendLeaseId(const LeaseId& id, std::string& out) {
  out.push_back('"');
  id.AppendTo(out);
  out.push_back('"');
}

void AppendMetadata(const Metadata& metadata, std::string& out) {
  char before = '{';
  for (const auto& [key, value] : metadata.values()) {
    out.push_back(before);
    before = ',';
    AppendString(key, out);
    out.push_back(':');
    const size_t start = out.size();
    out.append(value);
    // Between tokens JSON text may hold newlines, which would end the protocol's line.
    if (value.find_first_of("\r\n") != std::string::npos) {
      std::replace(out.begin() + start, out.end(), '\n', ' ');
      std::replace(out.begin() + start, out.end(), '\r', ' ');
    }
  }
  out.append(before == '{' ? "{}" : "}");
}

void AppendMembers(absl::string_view object, std::string& out) {
  object = absl::StripAsciiWhitespace(object);
  if (object.size() < 2) return;
  const absl::string_view members = absl::StripAsciiWhitespace(object.substr(1, object.size() - 2));
  if (members.empty()) return;
  out.push_back(',');
  out.append(members.data(), members.size());
}

}  // namespace packice::json
