#include "packice/transport/protocol.h"

#include <iterator>

#include "codec_fields.h"

namespace packice {
namespace json {

absl::Span<const absl::string_view> OpNames() {
  static constexpr absl::string_view kNames[] = {
      "hello", "acquire", "seal",   "discard", "release", "renew", "relocate", "stat",
      "list",  "stats",   "events", "index",   "batch",   "put",   "stage",    "write",
  };
  static_assert(std::size(kNames) == static_cast<size_t>(Op::kExtension));
  return kNames;
}

absl::Span<const absl::string_view> AccessNames() {
  static constexpr absl::string_view kNames[] = {"read", "create", "write"};
  static_assert(std::size(kNames) == static_cast<size_t>(Access::kWrite) + 1);
  return kNames;
}

}  // namespace json

absl::string_view OpName(Op op) {
  return op == Op::kExtension ? "extension" : json::OpNames()[static_cast<size_t>(op)];
}

size_t* DescriptorIndex(Handle& handle) {
  if (auto* fd = absl::get_if<FdHandle>(&handle)) return &fd->index;
  absl::optional<size_t>* index = nullptr;
  if (auto* path = absl::get_if<PathHandle>(&handle)) index = &path->index;
  if (auto* segment = absl::get_if<SegmentHandle>(&handle)) index = &segment->index;
  return index != nullptr && index->has_value() ? &**index : nullptr;
}

const size_t* DescriptorIndex(const Handle& handle) {
  return DescriptorIndex(const_cast<Handle&>(handle));
}

}  // namespace packice
