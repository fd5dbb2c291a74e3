#include "packice/core/lease_id.h"

#include <cstring>

#include "absl/strings/ascii.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr size_t kDigits = 32;
constexpr char kHex[] = "0123456789abcdef";

void AppendHex(uint64_t value, char* out) {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = kHex[value & 15];
}

bool ReadHex(absl::string_view digits, uint64_t* value) {
  *value = 0;
  for (char c : digits) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
    const int digit = c <= '9' ? c - '0' : absl::ascii_tolower(static_cast<unsigned char>(c)) - 'a' + 10;
    *value = *value << 4 | static_cast<uint64_t>(digit);
  }
  return true;
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
  if (text.size() != kDigits || !ReadHex(text.substr(0, 16), &id.high_) ||
      !ReadHex(text.substr(16), &id.low_)) {
    return MakeError(ErrorKind::kInvalidArgument, "a lease_id is 32 hexadecimal digits");
  }
  return id;
}

std::string LeaseId::ToString() const {
  std::string text(kDigits, '0');
  AppendHex(high_, &text[0]);
  AppendHex(low_, &text[16]);
  return text;
}

}  // namespace packice
