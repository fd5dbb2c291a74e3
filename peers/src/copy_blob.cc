#include "copy_blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "absl/types/variant.h"
#include "packice/core/blob_descriptor.h"
#include "packice/core/error.h"
#include "packice/core/path_blob.h"

namespace packice {
namespace {

// docs/performance.md, "Copies between tiers", has the figures behind these. Less than that is not
// worth opening and mapping files for.
constexpr uint64_t kSmall = 256 << 10;
constexpr uint64_t kBuffer = 1 << 20;
// How much is mapped, written and handed to the disk at a time.
constexpr uint64_t kPiece = 4 << 20;
constexpr uint64_t kAskEvery = 16 << 20;

// Bytes of an open file, memory or not.
struct Extent {
  std::shared_ptr<const UniqueFd> fd;
  uint64_t offset = 0;
  bool on_disk = false;
};

absl::optional<Extent> OpenSource(const BlobDescriptor& descriptor) {
  if (const auto* fd = absl::get_if<FdDescriptor>(&descriptor)) return Extent{fd->fd, fd->offset};
  const auto* path = absl::get_if<PathDescriptor>(&descriptor);
  if (path == nullptr) return absl::nullopt;
  absl::StatusOr<UniqueFd> file = OpenRegularFile(path->path);
  if (!file.ok()) return absl::nullopt;
  return Extent{std::make_shared<const UniqueFd>(*std::move(file)), path->offset, true};
}

// Whatever is not plainly the blob's own file is left to Blob::Write, which knows what is wrong.
absl::optional<Extent> OpenTarget(const BlobDescriptor& descriptor) {
  if (const auto* fd = absl::get_if<FdDescriptor>(&descriptor)) {
    const int flags = fcntl(fd->fd->get(), F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return absl::nullopt;
    return Extent{fd->fd, fd->offset};
  }
  const auto* path = absl::get_if<PathDescriptor>(&descriptor);
  if (path == nullptr) return absl::nullopt;
  UniqueFd file(
      open(path->path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info;
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1 ||
      (info.st_mode & S_IWUSR) == 0) {
    return absl::nullopt;
  }
  return Extent{std::make_shared<const UniqueFd>(std::move(file)), path->offset, true};
}

absl::Status Stopped() {
  return MakeError(ErrorKind::kUnavailable,
                   "a copy between tiers was stopped; it is made anew when there is need");
}

absl::Status TooShort(uint64_t size) {
  return MakeError(ErrorKind::kCorrupt, absl::StrCat("a sealed blob of ", size,
                                                     " bytes ends before; its node has to be "
                                                     "checked (packice fsck)"));
}

// Memory behind the end of a file reads as zeros, up to the end of its last page.
absl::Status CheckLength(const Extent& extent, uint64_t size) {
  struct stat info;
  if (fstat(extent.fd->get(), &info) != 0) return ErrnoError(errno, "cannot stat a blob's file");
  const uint64_t length = static_cast<uint64_t>(info.st_size);
  const bool whole = length >= extent.offset && length - extent.offset >= size;
  return whole ? absl::OkStatus() : TooShort(size);
}

// A mapping that the kernel alone reads: a page that cannot be had fails the write with EFAULT,
// where a touch would be SIGBUS.
class Window {
 public:
  Window(int fd, uint64_t offset, uint64_t length) {
    static const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    before_ = offset % page;
    length_ = length + before_;
    // Populated at once: a fault for each page costs as much as the copy.
    start_ = mmap(nullptr, length_, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
                  static_cast<off_t>(offset - before_));
  }
  ~Window() {
    if (*this) munmap(start_, length_);
  }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  explicit operator bool() const { return start_ != MAP_FAILED; }
  const char* bytes() const { return static_cast<const char*>(start_) + before_; }

 private:
  uint64_t before_;
  uint64_t length_;
  void* start_;
};

absl::Status CopyPiece(const Extent& from, const Extent& to, uint64_t at, uint64_t length) {
  const Window window(from.fd->get(), from.offset + at, length);
  if (!window) return ErrnoError(errno, "cannot map a blob to copy it");
  for (uint64_t done = 0; done < length;) {
    const ssize_t n = pwrite(to.fd->get(), window.bytes() + done, length - done,
                             static_cast<off_t>(to.offset + at + done));
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EFAULT) return TooShort(at + length);
      return ErrnoError(errno, absl::StrCat("cannot write ", length, " bytes of a copy"));
    }
    done += static_cast<uint64_t>(n);
  }
  // A hint: what counts is the sync when the blob is sealed.
  if (to.on_disk) {
    sync_file_range(to.fd->get(), static_cast<off_t>(to.offset + at), static_cast<off_t>(length),
                    SYNC_FILE_RANGE_WRITE);
  }
  return absl::OkStatus();
}

absl::Status CopyByHandle(const Extent& from, const Extent& to, uint64_t size,
                          const std::function<bool()>& go_on) {
  if (absl::Status status = CheckLength(from, size); !status.ok()) return status;
  if (from.on_disk) posix_fadvise(from.fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  for (uint64_t at = 0; at < size; at += kPiece) {
    if (at % kAskEvery == 0 && !go_on()) return Stopped();
    const uint64_t length = std::min(kPiece, size - at);
    if (from.on_disk) {  // what comes next is read while this is written
      posix_fadvise(from.fd->get(), static_cast<off_t>(from.offset + at),
                    static_cast<off_t>(2 * kPiece), POSIX_FADV_WILLNEED);
    }
    if (absl::Status status = CopyPiece(from, to, at, length); !status.ok()) return status;
  }
  return CheckLength(from, size);
}

absl::Status CopyThroughBuffer(const Blob& from, Blob& to, uint64_t size,
                               const std::function<bool()>& go_on) {
  if (!go_on()) return Stopped();
  std::string buffer(static_cast<size_t>(std::min(size, kBuffer)), '\0');
  for (uint64_t at = 0; at < size;) {
    if (at > 0 && at % kAskEvery == 0 && !go_on()) return Stopped();
    const size_t length = static_cast<size_t>(std::min(kBuffer, size - at));
    absl::StatusOr<size_t> n = from.Read(at, absl::MakeSpan(&buffer[0], length));
    if (!n.ok()) return n.status();
    if (*n < length) return TooShort(size);
    absl::Status status = to.Write(at, absl::string_view(buffer.data(), length));
    if (!status.ok()) return status;
    at += length;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyBlob(const Blob& from, Blob& to, const std::function<bool()>& go_on) {
  const uint64_t size = from.size();
  if (to.sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  // A target without as many bytes was not declared that large, or not at all: Blob::Write knows.
  if (size > kSmall && to.size() >= size) {
    const absl::optional<Extent> source = OpenSource(from.Describe());
    const absl::optional<Extent> target =
        source.has_value() ? OpenTarget(to.Describe()) : absl::nullopt;
    if (target.has_value()) return CopyByHandle(*source, *target, size, go_on);
  }
  return CopyThroughBuffer(from, to, size, go_on);
}

}  // namespace packice
