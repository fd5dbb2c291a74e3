#include "staging.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

std::atomic<uint64_t> total{0};

absl::StatusOr<UniqueFd> MakeMemory(uint64_t size) {
  UniqueFd memory(memfd_create("packice-staging", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Reserved now, so that a system without memory says so here and not by a signal later.
  if (!memory || ftruncate(memory.get(), static_cast<off_t>(size)) != 0 ||
      fallocate(memory.get(), 0, 0, static_cast<off_t>(size)) != 0) {
    const int error = errno == ENOSPC ? ENOMEM : errno;
    return ErrnoError(error, absl::StrCat("cannot get ", size, " bytes of staging memory"));
  }
  if (fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return ErrnoError(errno, "cannot seal the size of staging memory");
  }
  return memory;
}

}  // namespace

Staging::Staging(FdDescriptor descriptor, Mapping mapping)
    : descriptor_(std::move(descriptor)), mapping_(std::move(mapping)) {}

Staging::~Staging() { total.fetch_sub(size()); }

absl::StatusOr<std::unique_ptr<Staging>> Staging::Make(uint64_t size) {
  size = std::clamp(size, StageRequest::kMinSize, StageRequest::kMaxSize);
  if (total.fetch_add(size) + size > kMaxTotal) {
    total.fetch_sub(size);
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("the staging areas of all clients have at most ", kMaxTotal,
                                  " bytes; put without one"));
  }
  absl::StatusOr<UniqueFd> memory = MakeMemory(size);
  absl::StatusOr<Mapping> mapping = memory.ok()
                                        ? Mapping::Map(memory->get(), 0, size, MapAccess::kReadOnly)
                                        : absl::StatusOr<Mapping>(memory.status());
  if (!mapping.ok()) {
    total.fetch_sub(size);
    return mapping.status();
  }
  FdDescriptor descriptor{std::make_shared<const UniqueFd>(*std::move(memory)), 0, size};
  return std::unique_ptr<Staging>(new Staging(std::move(descriptor), *std::move(mapping)));
}

absl::StatusOr<absl::string_view> Staging::At(const StagedRange& range) const {
  if (range.offset > size() || range.size > size() - range.offset) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("\"staged\" must lie within the ", size(),
                                  " bytes of the connection's staging area"));
  }
  return mapping_.view().substr(range.offset, range.size);
}

}  // namespace packice
