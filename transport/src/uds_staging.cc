#include "uds_staging.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "packice/core/error.h"

namespace packice {

uint64_t UdsStaging::Piece::offset() const {
  return static_cast<uint64_t>(bytes_.data() - area_->mapping_.bytes().data());
}

absl::StatusOr<std::shared_ptr<UdsStaging>> UdsStaging::Map(UniqueFd memory, uint64_t size) {
  struct stat info;
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(memory.get(), &info) != 0 ||
      static_cast<uint64_t>(info.st_size) != size || size < kUnits || size % kUnits != 0) {
    return MakeError(ErrorKind::kCorrupt, "the node's staging area is not of the size it says");
  }
  absl::StatusOr<Mapping> mapping = Mapping::Map(memory.get(), 0, size, MapAccess::kReadWrite);
  if (!mapping.ok()) return mapping.status();
  // A child has a connection of its own, or none.
  madvise(mapping->bytes().data(), size, MADV_DONTFORK);
  return std::shared_ptr<UdsStaging>(new UdsStaging(*std::move(mapping)));
}

absl::optional<UdsStaging::Piece> UdsStaging::Take(size_t bytes) {
  const size_t count = (bytes + unit() - 1) / unit();
  if (count == 0 || count > kUnits) return absl::nullopt;
  const uint64_t run = count == kUnits ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  MutexLock lock(mutex_);
  for (unsigned first = 0; first + count <= kUnits; ++first) {
    const uint64_t units = run << first;
    if ((used_ & units) != 0) continue;
    used_ |= units;
    return Piece(shared_from_this(), units, mapping_.bytes().subspan(first * unit(), bytes));
  }
  return absl::nullopt;
}

void UdsStaging::Free(uint64_t units) {
  MutexLock lock(mutex_);
  used_ &= ~units;
}

}  // namespace packice
