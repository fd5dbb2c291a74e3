// A run of a blob's bytes in this process's address space. Owned by whoever asked for it; unmapped
// when it goes, and good until then, whatever happens to the blob. Move-only; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace packice {

enum class MapAccess { kReadOnly, kReadWrite };

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // Maps `size` bytes from `offset` (any offset) of `fd`, shared. The descriptor may be closed
  // afterwards. `permission_denied` when the descriptor refuses that access, `capacity` when the
  // kernel has no room.
  static absl::StatusOr<Mapping> Map(int fd, uint64_t offset, uint64_t size, MapAccess access);

  // Bytes that somebody else keeps alive: `owner`, which is let go of with the mapping; without one
  // it is up to the caller.
  static Mapping Borrow(absl::Span<char> bytes, std::shared_ptr<const void> owner = nullptr);

  absl::Span<char> bytes() const { return bytes_; }
  absl::string_view view() const { return absl::string_view(bytes_.data(), bytes_.size()); }

 private:
  absl::Span<char> bytes_;
  void* base_ = nullptr;  // page-aligned start of what to unmap; null for borrowed bytes
  size_t length_ = 0;
  std::shared_ptr<const void> owner_;  // of borrowed bytes; may be null
};

}  // namespace packice
