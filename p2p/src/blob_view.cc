#include "blob_view.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/types/variant.h"
#include "packice/core/blob_descriptor.h"
#include "packice/core/error.h"
#include "packice/core/path_blob.h"

namespace packice {

absl::StatusOr<BlobView> BlobView::Map(std::shared_ptr<Object> object) {
  BlobView view(object);
  uint64_t start = 0;
  for (const std::shared_ptr<Blob>& blob : object->blobs()) {
    if (blob->size() == 0) continue;
    if (absl::Status status = view.Add(*blob, start); !status.ok()) return status;
    start += blob->size();
  }
  return view;
}

BlobView::~BlobView() {
  for (const Part& part : parts_) {
    if (part.base != nullptr) munmap(part.base, part.length);
  }
}

absl::Status BlobView::Add(const Blob& blob, uint64_t start) {
  Part part;
  part.start = start;
  const BlobDescriptor descriptor = blob.Describe();
  const auto* fd = absl::get_if<FdDescriptor>(&descriptor);
  // What sendfile(2) has taken may still wait in the socket when the lease is over and the segment
  // has other bytes there: such bytes are copied.
  if (fd != nullptr && fd->segment == nullptr) {
    part.fd = fd->fd;
    part.fd_offset = fd->offset;
  } else if (const auto* path = absl::get_if<PathDescriptor>(&descriptor)) {
    absl::StatusOr<UniqueFd> file = OpenRegularFile(path->path);
    if (!file.ok()) return file.status();
    part.fd = std::make_shared<const UniqueFd>(*std::move(file));
    part.fd_offset = path->offset;
  }
  if (part.fd != nullptr) {
    if (absl::Status status = MapPrivate(part.fd->get(), blob.size(), part); !status.ok()) {
      return status;
    }
  } else {
    absl::StatusOr<Mapping> mapping = blob.Map(MapAccess::kReadOnly);
    if (!mapping.ok()) return mapping.status();
    part.mapping = *std::move(mapping);
    part.bytes = part.mapping.bytes();
  }
  parts_.push_back(std::move(part));
  return absl::OkStatus();
}

absl::Status BlobView::MapPrivate(int fd, uint64_t size, Part& part) {
  static const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t before = part.fd_offset % page;
  void* const base = mmap(nullptr, size + before, PROT_READ, MAP_PRIVATE, fd,
                          static_cast<off_t>(part.fd_offset - before));
  if (base == MAP_FAILED) return ErrnoError(errno, "cannot map an object for the swarm");
  part.base = base;
  part.length = size + before;
  part.bytes = absl::MakeConstSpan(static_cast<const char*>(base) + before, size);
  return absl::OkStatus();
}

PieceStore::Bytes BlobView::Slice(uint64_t offset, uint64_t size) const {
  PieceStore::Bytes bytes;
  for (const Part& part : parts_) {
    if (size == 0) break;
    if (offset >= part.start + part.bytes.size()) continue;
    const uint64_t skip = offset - part.start;
    const uint64_t take = std::min<uint64_t>(size, part.bytes.size() - skip);
    bytes.push_back(part.bytes.subspan(skip, take));
    offset += take;
    size -= take;
  }
  return bytes;
}

PieceStore::FileRanges BlobView::Files(uint64_t offset, uint64_t size) const {
  PieceStore::FileRanges ranges;
  for (const Part& part : parts_) {
    if (size == 0) break;
    if (offset >= part.start + part.bytes.size()) continue;
    if (part.fd == nullptr) return {};
    const uint64_t skip = offset - part.start;
    const uint64_t take = std::min<uint64_t>(size, part.bytes.size() - skip);
    ranges.push_back({part.fd->get(), part.fd_offset + skip, take});
    offset += take;
    size -= take;
  }
  return ranges;
}

}  // namespace packice
