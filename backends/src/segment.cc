#include "segment.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "file_size.h"
#include "memfd.h"
#include "packice/core/error.h"
#include "temp_file.h"

// Linux 5.14; the C library may be older than the kernel.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace packice {
namespace {

// Memory is taken by so much at a time: what the kernel makes in a millisecond or less.
constexpr uint64_t kStep = 1 << 20;

// The mapping that was there before goes on writing.
constexpr int kSealed = F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

}  // namespace

absl::StatusOr<std::unique_ptr<Segment>> Segment::Create(uint64_t id, uint64_t bytes,
                                                         const std::string& temp_directory,
                                                         const SegmentPages& pages,
                                                         SegmentShares shares) {
  const bool in_memfd = temp_directory.empty();
  absl::StatusOr<UniqueFd> fd =
      in_memfd ? memfd::Create("packice-segment") : temp_file::Open(temp_directory);
  if (!fd.ok()) return fd.status();
  if (absl::Status status = SetFileSize(fd->get(), bytes); !status.ok()) return status;

  UniqueFd handed_out;
  if (!in_memfd) {
    absl::StatusOr<UniqueFd> reader = temp_file::ReopenReadOnly(fd->get());
    if (!reader.ok()) return reader.status();
    handed_out = *std::move(reader);
  }
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
  if (base == MAP_FAILED) return ErrnoError(errno, "cannot map a segment of shared memory");
  // Advice: where the system has no huge pages for shared memory the small ones do as well.
  if (pages.huge) madvise(base, bytes, MADV_HUGEPAGE);
  auto shared = std::make_shared<SharedSegment>();
  shared->id = id;
  shared->size = bytes;
  UniqueFd writable;
  absl::Status sealed;
  if (in_memfd) {
    sealed = memfd::AddSeals(fd->get(), kSealed);
    shared->fd = *std::move(fd);
  } else {
    shared->fd = std::move(handed_out);
    writable = *std::move(fd);
  }
  std::unique_ptr<Segment> segment(new Segment(std::move(shared), std::move(writable),
                                               static_cast<char*>(base), pages.lock,
                                               std::move(shares)));
  if (!sealed.ok()) return sealed;
  if (pages.prefault) {
    if (absl::Status status = segment->Reserve(bytes); !status.ok()) return status;
  }
  return segment;
}

Segment::~Segment() { munmap(bytes_, shared_->size); }

absl::Status Segment::Reserve(uint64_t bytes) {
  if (bytes <= reserved_) return absl::OkStatus();
  const uint64_t end = std::min(size(), (bytes + kStep - 1) / kStep * kStep);
  const int fd = writable_ ? writable_.get() : shared_->fd.get();
  // fallocate(2) fails where a touch would be SIGBUS, or the end of a process.
  while (fallocate(fd, 0, static_cast<off_t>(reserved_), static_cast<off_t>(end - reserved_)) !=
         0) {
    if (errno != EINTR) return ErrnoError(errno, "no memory for another segment");
  }
  char* const start = bytes_ + reserved_;
  const uint64_t more = end - reserved_;
  // Saves a fault for each page; older kernels do without.
  madvise(start, more, MADV_POPULATE_WRITE);
  if (lock_ && mlock(start, more) != 0) {
    return ErrnoError(errno, "cannot lock shared memory (ulimit -l says how much may be)");
  }
  reserved_ = end;
  return absl::OkStatus();
}

}  // namespace packice
