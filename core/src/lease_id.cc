#include "packice/core/lease_id.h"

#include <array>
#include <cstring>

#include "packice/core/error.h"

namespace packice {
namespace {

constexpr size_t kDigits = 32;

// Two digits for each byte.
constexpr auto kHexOfByte = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = {kHex[i >> 4], kHex[i & 15]};
  return table;
}();

constexpr uint8_t kNoDigit = 0xff;
constexpr auto kDigitOfChar = [] {
  std::array<uint8_t, 256> table{};
  for (uint8_t& digit : table) digit = kNoDigit;
  for (uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    table['a' + i] = static_cast<uint8_t>(10 + i);
    table['A' + i] = static_cast<uint8_t>(10 + i);
  }
  return table;
}();

void WriteHex(uint64_t value, char* out) {
  for (int i = 7; i >= 0; --i, value >>= 8) std::memcpy(out + 2 * i, &kHexOfByte[value & 255], 2);
}

bool ReadHex(const char* digits, uint64_t* value) {
  uint64_t read = 0;
  uint8_t all = 0;
  for (int i = 0; i < 16; ++i) {
    const uint8_t digit = kDigitOfChar[static_cast<unsigned char>(digits[i])];
    all |= digit;
    read = read << 4 | (digit & 15);
  }
  *value = read;
  return (all & 0xf0) == 0;
}

}  // namespace

LeaseId LeaseId::Random(RandomSource& random) {
  uint8_t bytes[16];
  random.Fill(absl::MakeSpan(bytes));
  LeaseId id;
  std::memcpy(&id.high_, bytes, 8);
  std::memcpy(&id.low_, bytes + 8, 8);
  return id;
}

absl::StatusOr<LeaseId> LeaseId::Parse(absl::string_view text) {
  LeaseId id;
  if (text.size() != kDigits || !ReadHex(text.data(), &id.high_) ||
      !ReadHex(text.data() + 16, &id.low_)) {
    return MakeError(ErrorKind::kInvalidArgument, "a lease_id is 32 hexadecimal digits");
  }
  return id;
}

void LeaseId::AppendTo(std::string& out) const {
  char digits[kDigits];
  WriteHex(high_, digits);
  WriteHex(low_, digits + 16);
  out.append(digits, kDigits);
}

std::string LeaseId::ToString() const {
  std::string text;
  AppendTo(text);
  return text;
}

}  // namespace packice
