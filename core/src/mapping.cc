#include "packice/core/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

Mapping::Mapping(Mapping&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      base_(std::exchange(other.base_, nullptr)),
      length_(std::exchange(other.length_, 0)),
      owner_(std::move(other.owner_)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  // What was mapped here is unmapped now, not when `other` goes: a writable mapping is in Seal's
  // way.
  Mapping taken(std::move(other));
  std::swap(bytes_, taken.bytes_);
  std::swap(base_, taken.base_);
  std::swap(length_, taken.length_);
  std::swap(owner_, taken.owner_);
  return *this;
}

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, length_);
}

absl::StatusOr<Mapping> Mapping::Map(int fd, uint64_t offset, uint64_t size, MapAccess access) {
  Mapping mapping;
  if (size == 0) return mapping;
  static const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t lead = offset % page;
  const bool writable = access == MapAccess::kReadWrite;
  // A reader maps privately, though it shares the pages: Linux before 6.7 counts a shared mapping
  // of a descriptor open for writing as writable, and so refuses it for sealed memory.
  void* base = mmap(nullptr, size + lead, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                    writable ? MAP_SHARED : MAP_PRIVATE, fd, static_cast<off_t>(offset - lead));
  if (base == MAP_FAILED) {
    return ErrnoError(errno, absl::StrCat("cannot map ", size, " bytes of descriptor ", fd));
  }
  mapping.base_ = base;
  mapping.length_ = size + lead;
  mapping.bytes_ = absl::MakeSpan(static_cast<char*>(base) + lead, size);
  return mapping;
}

Mapping Mapping::Borrow(absl::Span<char> bytes, std::shared_ptr<const void> owner) {
  Mapping mapping;
  mapping.bytes_ = bytes;
  mapping.owner_ = std::move(owner);
  return mapping;
}

}  // namespace packice
