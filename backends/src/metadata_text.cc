#include "packice/backends/metadata_text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

void AppendQuoted(absl::string_view key, std::string& out) {
  out.push_back('"');
  for (char c : key) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// Cuts a JSON object into its keys and the texts of its values.
class Cutter {
 public:
  explicit Cutter(absl::string_view text) : rest_(text) {}

  bool Cut(Metadata& out) {
    if (!Take('{')) return false;
    if (Take('}')) return AtEnd();
    do {
      std::string key;
      if (!TakeKey(key) || !Take(':')) return false;
      const absl::string_view value = TakeValue();
      if (value.empty()) return false;
      out.Set(key, value);
    } while (Take(','));
    return Take('}') && AtEnd();
  }

 private:
  void SkipSpace() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }

  bool Take(char c) {
    SkipSpace();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeKey(std::string& key) {
    if (!Take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        key.push_back(c);
      } else if (!TakeEscape(key)) {
        return false;
      }
    }
    return false;
  }

  bool TakeEscape(std::string& key) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    switch (c) {
      case '"':
      case '\\':
      case '/':
        key.push_back(c);
        return true;
      case 'b':
        key.push_back('\b');
        return true;
      case 'f':
        key.push_back('\f');
        return true;
      case 'n':
        key.push_back('\n');
        return true;
      case 'r':
        key.push_back('\r');
        return true;
      case 't':
        key.push_back('\t');
        return true;
      case 'u':
        return TakeCodePoint(key);
      default:
        return false;
    }
  }

  bool TakeCodePoint(std::string& key) {
    uint32_t point = 0;
    if (rest_.size() < 4 || !absl::SimpleHexAtoi(rest_.substr(0, 4), &point)) return false;
    if (point >= 0xd800 && point < 0xe000) return false;
    rest_.remove_prefix(4);
    if (point < 0x80) {
      key.push_back(static_cast<char>(point));
    } else if (point < 0x800) {
      key.push_back(static_cast<char>(0xc0 | (point >> 6)));
      key.push_back(static_cast<char>(0x80 | (point & 0x3f)));
    } else {
      key.push_back(static_cast<char>(0xe0 | (point >> 12)));
      key.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3f)));
      key.push_back(static_cast<char>(0x80 | (point & 0x3f)));
    }
    return true;
  }

  // Up to the comma or brace that ends it; empty when there is none.
  absl::string_view TakeValue() {
    SkipSpace();
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (in_string) {
        if (c == '\\') {
          ++i;
        } else if (c == '"') {
          in_string = false;
        }
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth == 0 && (c == ',' || c == '}')) {
        const absl::string_view value = absl::StripTrailingAsciiWhitespace(rest_.substr(0, i));
        rest_.remove_prefix(i);
        return value;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    return {};
  }

  absl::string_view rest_;
};

}  // namespace

std::string MetadataToText(const Metadata& metadata) {
  std::string text = "{";
  for (const auto& [key, value] : metadata.values()) {
    if (text.size() > 1) text.push_back(',');
    AppendQuoted(key, text);
    absl::StrAppend(&text, ":", value);
  }
  text.push_back('}');
  return text;
}

absl::StatusOr<Metadata> MetadataFromText(absl::string_view text) {
  Metadata metadata;
  if (Cutter(text).Cut(metadata)) return metadata;
  return MakeError(ErrorKind::kCorrupt,
                   "the metadata of an object in the catalog is no JSON "
                   "object; run packice fsck --repair on the directory");
}

}  // namespace packice
