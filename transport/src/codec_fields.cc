#include "codec_fields.h"

#include <array>
#include <cmath>
#include <cstring>

#include "absl/strings/charconv.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec_write.h"

namespace packice::json {
namespace {

constexpr absl::string_view kNames[] = {
#define PACKICE_JSON_NAME(name, text) text,
    PACKICE_JSON_FIELDS(PACKICE_JSON_NAME)
#undef PACKICE_JSON_NAME
};
constexpr size_t kCount = std::size(kNames);
constexpr size_t kLongest = kNames[kCount - 1].size();

// kStart[n]: the first name of n or more bytes.
constexpr auto kStart = [] {
  std::array<uint8_t, kLongest + 2> start{};
  size_t at = 0;
  for (size_t length = 0; length < start.size(); ++length) {
    while (at < kCount && kNames[at].size() < length) ++at;
    start[length] = static_cast<uint8_t>(at);
  }
  return start;
}();

constexpr bool IsOrdered() {
  for (size_t i = 1; i < kCount; ++i) {
    if (kNames[i - 1].size() > kNames[i].size()) return false;
  }
  return true;
}
static_assert(IsOrdered(), "PACKICE_JSON_FIELDS must be ordered by length");

// kCount when the protocol has no such name.
size_t IndexOf(absl::string_view key) {
  if (key.size() > kLongest) return kCount;
  for (size_t i = kStart[key.size()]; i < kStart[key.size() + 1]; ++i) {
    if (std::memcmp(kNames[i].data(), key.data(), key.size()) == 0) return i;
  }
  return kCount;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits off the front of `text`. False when there are none, or more than `most`.
bool TakeDigits(absl::string_view& text, size_t most, uint64_t& value) {
  size_t n = 0;
  value = 0;
  for (; n < text.size() && IsDigit(text[n]); ++n) {
    if (n == most) return false;
    value = value * 10 + static_cast<uint64_t>(text[n] - '0');
  }
  text.remove_prefix(n);
  return n > 0;
}

// A JSON number without sign, fraction and exponent.
absl::optional<uint64_t> ParseInteger(absl::string_view text) {
  uint64_t value;
  if (text == "-0") return 0;
  if (!absl::SimpleAtoi(text, &value)) return absl::nullopt;
  return value;
}

// Exact for what AppendSeconds writes; the nearest nanosecond for any other number.
absl::Duration ParseSeconds(absl::string_view text) {
  absl::string_view rest = text;
  uint64_t seconds;
  if (TakeDigits(rest, 9, seconds)) {
    if (rest.empty()) return absl::Seconds(seconds);
    uint64_t fraction;
    const size_t digits = rest.size() - 1;
    if (rest.front() == '.' && (rest.remove_prefix(1), TakeDigits(rest, 9, fraction)) &&
        rest.empty()) {
      for (size_t i = digits; i < 9; ++i) fraction *= 10;
      return absl::Seconds(seconds) + absl::Nanoseconds(fraction);
    }
  }
  double value = 0;
  const auto result = absl::from_chars(text.data(), text.data() + text.size(), value);
  // Out of range is either infinite or nearly zero already.
  if (result.ec != std::errc() && result.ec != std::errc::result_out_of_range) value = HUGE_VAL;
  if (std::fabs(value) > 2.0 * kMaxSeconds) {
    return value < 0 ? -absl::InfiniteDuration() : absl::InfiniteDuration();
  }
  return absl::Nanoseconds(static_cast<int64_t>(std::llround(value * 1e9)));
}

}  // namespace

absl::string_view FieldName(Field field) { return kNames[static_cast<size_t>(field)]; }

bool IsFieldName(absl::string_view name) { return IndexOf(name) != kCount; }

Fields::Fields(const Node& object, ErrorKind fault, absl::string_view list, size_t index)
    : fault_(fault), list_(list), index_(index) {
  if (object.type != Type::kObject) {
    Fail(list_.empty() ? std::string("a message must be a JSON object")
                       : absl::StrCat("\"", list_, "[", index_, "]\" must be a JSON object"));
    return;
  }
  ForEachMember(object, [this](absl::string_view key, const Node& value) {
    const size_t at = IndexOf(key);
    if (at != kCount) members_[at] = value.type == Type::kNull ? nullptr : &value;
  });
}

std::string Fields::Quoted(Field field) const {
  if (list_.empty()) return absl::StrCat("\"", FieldName(field), "\"");
  if (index_ == kNoIndex) return absl::StrCat("\"", list_, ".", FieldName(field), "\"");
  return absl::StrCat("\"", list_, "[", index_, "].", FieldName(field), "\"");
}

void Fields::Fail(ErrorKind kind, absl::string_view message) {
  if (status_.ok()) status_ = MakeError(kind, message);
}

void Fields::Wrong(Field field, absl::string_view expected) {
  if (status_.ok()) Fail(absl::StrCat(Quoted(field), " must be ", expected));
}

void Fields::Need(std::initializer_list<Field> fields) {
  for (Field field : fields) {
    if (!Has(field)) return Fail(absl::StrCat(Quoted(field), " is missing"));
  }
}

absl::optional<absl::string_view> Fields::String(Field field) {
  const Node* node = Find(field);
  if (node == nullptr) return absl::nullopt;
  if (node->type == Type::kString) return node->text();
  Wrong(field, "a string");
  return absl::nullopt;
}

absl::optional<uint64_t> Fields::Integer(Field field, uint64_t min, uint64_t max) {
  const Node* node = Find(field);
  if (node == nullptr) return absl::nullopt;
  if (node->type == Type::kNumber) {
    const absl::optional<uint64_t> value = ParseInteger(node->text());
    if (value && *value >= min && *value <= max) return value;
  }
  Wrong(field, absl::StrCat("an integer from ", min, " to ", max));
  return absl::nullopt;
}

std::vector<uint64_t> Fields::Integers(Field field) {
  std::vector<uint64_t> integers;
  const Node* list = List(field);
  if (list == nullptr) return integers;
  for (const Node* entry = list->begin(); entry != list->end(); entry = entry->next()) {
    const bool number = entry->type == Type::kNumber;
    const auto value = number ? ParseInteger(entry->text()) : absl::nullopt;
    if (!value) Wrong(field, "a list of integers");
    if (!ok()) break;
    integers.push_back(*value);
  }
  return integers;
}

absl::optional<absl::Duration> Fields::Seconds(Field field, bool zero_allowed) {
  const Node* node = Find(field);
  if (node == nullptr) return absl::nullopt;
  if (node->type == Type::kNumber) {
    const absl::Duration value = ParseSeconds(node->text());
    const bool enough = zero_allowed ? value >= absl::ZeroDuration() : value > absl::ZeroDuration();
    if (enough && value <= absl::Seconds(kMaxSeconds)) return value;
  }
  Wrong(field, absl::StrCat("a number of seconds ",
                            zero_allowed ? "from 0 to " : "over 0 and up to ", kMaxSeconds));
  return absl::nullopt;
}

absl::optional<absl::Time> Fields::Time(Field field) {
  const Node* node = Find(field);
  if (node == nullptr) return absl::nullopt;
  absl::Time time;
  if (node->type == Type::kString &&
      absl::ParseTime(absl::RFC3339_full, node->text(), &time, nullptr) &&
      time != absl::InfiniteFuture() && time != absl::InfinitePast()) {
    return time;
  }
  Wrong(field, "a time as RFC 3339 has it");
  return absl::nullopt;
}

bool Fields::Flag(Field field) {
  const Node* node = Find(field);
  if (node == nullptr || node->type == Type::kFalse) return false;
  if (node->type != Type::kTrue) Wrong(field, "true or false");
  return node->type == Type::kTrue;
}

ObjectId Fields::Id(Field field) {
  const absl::optional<absl::string_view> text = String(field);
  if (!text) return ObjectId();
  absl::StatusOr<ObjectId> id = ObjectId::Parse(*text);
  if (id.ok()) return *std::move(id);
  Wrong(field, absl::StrCat("an object id: a string of 1 to ", ObjectId::kMaxBytes, " bytes"));
  return ObjectId();
}

Metadata Fields::Meta(Field field) {
  const Node* node = Object(field);
  if (node == nullptr) return Metadata();
  Metadata metadata = ReadMetadata(*node);
  if (const absl::Status status = metadata.CheckSize(); !status.ok() && ok()) {
    Fail(absl::StrCat(Quoted(field), " is too large: ", status.message()));
  }
  return metadata;
}

const Node* Fields::List(Field field, size_t max) {
  const Node* node = Find(field);
  if (node == nullptr) return nullptr;
  if (node->type == Type::kList) {
    size_t entries = 0;
    for (const Node* entry = node->begin(); entry != node->end(); entry = entry->next()) ++entries;
    if (entries <= max) return node;
  }
  Wrong(field, max == kAny ? "a list" : absl::StrCat("a list of at most ", max, " entries"));
  return nullptr;
}

const Node* Fields::Object(Field field) {
  const Node* node = Find(field);
  if (node == nullptr || node->type == Type::kObject) return node;
  Wrong(field, "a JSON object");
  return nullptr;
}

absl::optional<size_t> Fields::Word(Field field, absl::Span<const absl::string_view> words) {
  const Node* node = Find(field);
  if (node == nullptr) return absl::nullopt;
  if (node->type == Type::kString) {
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] == node->text()) return i;
    }
  }
  if (ok()) Wrong(field, absl::StrCat("one of ", absl::StrJoin(words, ", ")));
  return absl::nullopt;
}

std::string Fields::Seq() {
  const Node* node = Find(Field::kSeq);
  if (node == nullptr) return "";
  std::string text;
  if (node->type == Type::kNumber || node->type == Type::kString) AppendNode(*node, text);
  if (!text.empty() && text.size() <= kMaxSeqBytes) return text;
  Wrong(Field::kSeq, absl::StrCat("a number or a string of at most ", kMaxSeqBytes, " bytes"));
  return "";
}

Metadata ReadMetadata(const Node& object) {
  Metadata metadata;
  std::string text;
  ForEachMember(object, [&](absl::string_view key, const Node& value) {
    text.clear();
    AppendNode(value, text);
    metadata.Set(key, text);
  });
  return metadata;
}

}  // namespace packice::json
