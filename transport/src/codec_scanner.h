// Reads JSON text of one form only: just as this codec's encoders write it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"
#include "codec_fields.h"
#include "packice/core/lease_id.h"
#include "packice/core/object_id.h"
#include "packice/core/peer.h"

namespace packice::json {

// Bytes that stand for themselves in a JSON string and are a character each.
inline constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

// Each function takes what it names off the front of the text, or says no.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  template <size_t N>
  bool Take(const char (&literal)[N]) {
    constexpr size_t kSize = N - 1;
    if (static_cast<size_t>(end_ - at_) < kSize || std::memcmp(at_, literal, kSize) != 0)
      return false;
    at_ += kSize;
    return true;
  }

  // Up to the quote that ends it, and that quote.
  bool TakeString(absl::string_view& text) {
    const char* start = at_;
    while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) ++at_;
    if (at_ == end_ || *at_ != '"') return false;
    text = absl::string_view(start, static_cast<size_t>(at_++ - start));
    return true;
  }

  bool TakeObjectId(ObjectId& id) {
    absl::string_view text;
    if (!TakeString(text) || text.empty() || text.size() > ObjectId::kMaxBytes) return false;
    id = *ObjectId::Parse(text);
    return true;
  }

  bool TakeLeaseId(LeaseId& id) {
    constexpr size_t kDigits = 32;
    if (end_ - at_ <= static_cast<ptrdiff_t>(kDigits) || at_[kDigits] != '"') return false;
    absl::StatusOr<LeaseId> parsed = LeaseId::Parse(absl::string_view(at_, kDigits));
    if (!parsed.ok()) return false;
    id = *parsed;
    at_ += kDigits + 1;
    return true;
  }

  // Nineteen digits, which the number of a segment has, are no more than 64 bits hold.
  bool TakeUnsigned(uint64_t& value) {
    const char* start = at_;
    value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - start < 20) {
      value = value * 10 + static_cast<uint64_t>(*at_++ - '0');
    }
    const ptrdiff_t digits = at_ - start;
    return digits > 0 && digits < 20 && value <= kMaxSize && (digits == 1 || *start != '0');
  }

  bool TakeAccess(Access& access) {
    if (Take("read\"")) {
      access = Access::kRead;
    } else if (Take("create\"")) {
      access = Access::kCreate;
    } else if (Take("write\"")) {
      access = Access::kWrite;
    } else {
      return false;
    }
    return true;
  }

  bool done() const { return at_ == end_; }

 private:
  const char* at_;
  const char* const end_;
};

// The entries of a list, of which at least one is wanted, and its end.
template <typename TakeEntry>
bool TakeList(Scanner& scan, const TakeEntry& take) {
  do {
    if (!take()) return false;
  } while (scan.Take(","));
  return scan.Take("]}");
}

}  // namespace packice::json
