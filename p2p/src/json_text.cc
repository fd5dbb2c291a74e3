#include "json_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace packice {
namespace {

// Each member takes what its name says from the front, or is false.
class JsonReader {
 public:
  explicit JsonReader(absl::string_view text) : left_(text) {}

  bool Value(int depth) {
    Space();
    if (left_.empty() || depth > kMaxJsonDepth) return false;
    switch (left_.front()) {
      case '{':
        return Members('}', depth, /*named=*/true);
      case '[':
        return Members(']', depth, /*named=*/false);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  bool AtEnd() {
    Space();
    return left_.empty();
  }

 private:
  bool Take(char c) {
    if (left_.empty() || left_.front() != c) return false;
    left_.remove_prefix(1);
    return true;
  }

  bool Word(absl::string_view word) {
    if (!absl::StartsWith(left_, word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }

  void Space() {
    const size_t end = left_.find_first_not_of(" \t\r\n");
    left_.remove_prefix(end == absl::string_view::npos ? left_.size() : end);
  }

  bool Digits() {
    size_t n = 0;
    while (n < left_.size() && absl::ascii_isdigit(static_cast<unsigned char>(left_[n]))) ++n;
    left_.remove_prefix(n);
    return n > 0;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (!Take('e') && !Take('E')) return true;
    if (!Take('+')) Take('-');
    return Digits();
  }

  bool Members(char end, int depth, bool named) {
    left_.remove_prefix(1);
    Space();
    if (Take(end)) return true;
    while (true) {
      if (named && !Name()) return false;
      if (!Value(depth + 1)) return false;
      Space();
      if (Take(end)) return true;
      if (!Take(',')) return false;
    }
  }

  bool Name() {
    Space();
    if (!String()) return false;
    Space();
    return Take(':');
  }

  bool String() {
    if (!Take('"')) return false;
    while (!left_.empty()) {
      if (Take('"')) return true;
      if (!(Take('\\') ? Escape() : Character())) return false;
    }
    return false;
  }

  bool Escape() {
    if (Take('u')) {
      for (int i = 0; i < 4; ++i) {
        if (left_.empty() || !absl::ascii_isxdigit(static_cast<unsigned char>(left_.front()))) {
          return false;
        }
        left_.remove_prefix(1);
      }
      return true;
    }
    constexpr absl::string_view kEscaped = "\"\\/bfnrt";
    if (left_.empty() || kEscaped.find(left_.front()) == absl::string_view::npos) return false;
    left_.remove_prefix(1);
    return true;
  }

  // In UTF-8, the shortest form of something that is no half of a surrogate pair.
  bool Character() {
    const auto first = static_cast<unsigned char>(left_.front());
    if (first < 0x20) return false;
    const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || left_.size() < size) return false;
    uint32_t code = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(left_[i]);
      if ((byte & 0xc0) != 0x80) return false;
      code = (code << 6) | (byte & 0x3fu);
    }
    if (size == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return false;
    if (size == 4 && (code < 0x10000 || code > 0x10ffff)) return false;
    left_.remove_prefix(size);
    return true;
  }

  absl::string_view left_;
};

}  // namespace

bool IsJsonText(absl::string_view text) {
  JsonReader reader(text);
  return reader.Value(0) && reader.AtEnd();
}

}  // namespace packice
