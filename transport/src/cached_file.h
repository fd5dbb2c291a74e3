// File operations that an event loop may do: they fail rather than wait for a disk.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/unique_fd.h"

namespace packice {

// Opens for reading, without following a symbolic link at the end of the path, and without leaving
// the kernel's cache of names (RESOLVE_CACHED, openat2(2)). Empty when that cannot be done, for
// whatever reason.
UniqueFd OpenCached(const char* path);
// The same, however long it takes. Empty with errno set when it fails.
UniqueFd OpenForReading(const char* path);

// What of the file is in memory can be read without waiting (RWF_NOWAIT, preadv2(2)). Returns
// nothing when the first byte is not there, or when the file system cannot tell.
absl::optional<size_t> ReadCached(int fd, uint64_t offset, absl::Span<char> out);

// Whether both ends of a range are in memory. Files are read ahead, so what lies between them
// nearly always is, too.
bool IsCached(int fd, uint64_t offset, uint64_t size);

}  // namespace packice
