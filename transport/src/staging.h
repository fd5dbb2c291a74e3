// Memory that a client writes and its node reads: bytes reach the node without going through the
// socket. The node makes it, so that nobody can cut it short under the node's mapping.
//
// Owned by one connection; thread-safe. The client may write while the node reads: each staged byte
// is to be read once, and nothing may be concluded from it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/blob_descriptor.h"
#include "packice/core/mapping.h"
#include "packice/transport/protocol.h"

namespace packice {

class Staging {
 public:
  // What all of a process's staging areas may take together, in bytes.
  static constexpr uint64_t kMaxTotal = uint64_t{1} << 30;

  // `size` in bytes, within StageRequest's bounds. `capacity` when there is no memory for it, or
  // others have too much.
  static absl::StatusOr<std::unique_ptr<Staging>> Make(uint64_t size);
  ~Staging();

  uint64_t size() const { return descriptor_.size; }
  const FdDescriptor& descriptor() const { return descriptor_; }

  // The bytes of a range. `invalid_argument` where it is not within the area.
  absl::StatusOr<absl::string_view> At(const StagedRange& range) const;

 private:
  Staging(FdDescriptor descriptor, Mapping mapping);

  const FdDescriptor descriptor_;
  const Mapping mapping_;
};

}  // namespace packice
