// How another process reaches a blob's bytes. A value; copies share what they name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/variant.h"
#include "packice/core/shared_segment.h"
#include "packice/core/unique_fd.h"

namespace packice {

// Bytes [offset, offset + size) of an open descriptor, to be read with pread(2) or mmap(2): its
// file position is shared by all who hold it. The descriptor stays open, and these bytes stay what
// they are, while the value lives.
struct FdDescriptor {
  std::shared_ptr<const UniqueFd> fd;
  uint64_t offset = 0;
  uint64_t size = 0;
  // Where the bytes lie in shared memory, that segment: a copy of the descriptor that outlives this
  // value shows other bytes there one day. Null: they never change.
  std::shared_ptr<const SharedSegment> segment = nullptr;
};

// Bytes of a file that this host can open.
struct PathDescriptor {
  std::string path;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// Bytes that an HTTP GET with Range answers.
struct UrlDescriptor {
  std::string url;
  uint64_t size = 0;
};

using BlobDescriptor = absl::variant<FdDescriptor, PathDescriptor, UrlDescriptor>;

}  // namespace packice
