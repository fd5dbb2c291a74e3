// The part of a body that a request asks for or brings (RFC 9110, 14). Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace packice {

// Bytes [offset, offset + size).
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;

  friend bool operator==(const ByteRange& a, const ByteRange& b) {
    return a.offset == b.offset && a.size == b.size;
  }
};

struct RangeAnswer {
  // kWhole also where the header is none, names another unit or several ranges: a server may always
  // answer with all there is.
  enum class Kind { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  ByteRange range;
};

// Of a `Range` header over `size` bytes: "bytes=0-99", "bytes=100-", "bytes=-5".
RangeAnswer ResolveRange(absl::string_view header, uint64_t size);

// Of a request's `Content-Range` header: "bytes 0-99/*" or "bytes 0-99/1000". Nothing when it is no
// such thing or contradicts itself.
absl::optional<ByteRange> ParseContentRange(absl::string_view header);

// "bytes 0-99/1000"; for nothing "bytes */1000".
std::string FormatContentRange(const absl::optional<ByteRange>& range, uint64_t size);

// Whether a list of entity tags, or "*", has this one. `strong`: weak ones match nothing (RFC 9110,
// 8.8.3.2).
bool HasETag(absl::string_view list, absl::string_view etag, bool strong);

}  // namespace packice
