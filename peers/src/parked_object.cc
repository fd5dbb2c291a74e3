#include "parked_object.h"

#include <cstring>

#include "packed_numbers.h"
#include "packice/core/packed_bytes.h"

namespace packice {
namespace {

void PutText(std::string& out, absl::string_view text) {
  PutNumber(out, text.size());
  out.append(text.data(), text.size());
}

absl::string_view TakeText(absl::string_view& in) {
  const auto size = static_cast<size_t>(TakeNumber(in));
  const absl::string_view text = in.substr(0, size);
  in.remove_prefix(size);
  return text;
}

}  // namespace

std::string ParkedObject::Pack() const {
  std::string out;
  out.reserve(PackedBytes::kInline);
  // A time has its highest bits set: eight bytes as they are, where PutNumber would take nine.
  const int64_t sealed = absl::ToUnixNanos(sealed_at);
  out.append(reinterpret_cast<const char*>(&sealed), sizeof(sealed));
  PutNumber(out,
            Fold(static_cast<uint64_t>(sealed) - static_cast<uint64_t>(ToUnixNanos(created_at))));
  PutNumber(out, blob);
  PutNumber(out, size);
  for (const auto& [key, value] : metadata.values()) {
    PutText(out, key);
    PutText(out, value);
  }
  return out;
}

ParkedObject ParkedObject::Unpack(absl::string_view packed) {
  ParkedObject object;
  int64_t sealed;
  std::memcpy(&sealed, packed.data(), sizeof(sealed));
  packed.remove_prefix(sizeof(sealed));
  const uint64_t created = static_cast<uint64_t>(sealed) - Unfold(TakeNumber(packed));
  object.sealed_at = absl::FromUnixNanos(sealed);
  object.created_at = absl::FromUnixNanos(static_cast<int64_t>(created));
  object.blob = TakeNumber(packed);
  object.size = TakeNumber(packed);
  while (!packed.empty()) {
    const absl::string_view key = TakeText(packed);
    object.metadata.Set(key, TakeText(packed));
  }
  return object;
}

}  // namespace packice
