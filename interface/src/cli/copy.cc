#include "cli/copy.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"
#include "packice/core/mapping.h"

namespace packice::cli {
namespace {

// Fits a core's cache, so that the copy in between is cheap: 256 KiB ran a tenth faster than 1 MiB.
constexpr size_t kBuffer = 256 * 1024;

// From here on a file is mapped and written from its own pages instead, one copy less: 5.5
// against 4.8 GB/s at 4 MiB and 3.3 against 2.5 at 64 MiB, which is as fast as sendfile(2). Below,
// the page faults cost more than the copy. (Linux 6.18, ext4 to memfd, all in the page cache.)
constexpr uint64_t kMapFrom = 4 * 1024 * 1024;
constexpr uint64_t kPiece = 8 * 1024 * 1024;

absl::Status Shrunk(uint64_t size) {
  return MakeError(ErrorKind::kIo,
                   absl::StrCat("the file had ", size, " bytes and has fewer now; put it again"));
}

bool IsShorter(int fd, uint64_t size) {
  struct stat info = {};
  return fstat(fd, &info) == 0 && static_cast<uint64_t>(info.st_size) < size;
}

absl::Status CopyMapped(int fd, uint64_t size, Writer& writer, Progress& progress) {
  absl::StatusOr<Mapping> mapping = Mapping::Map(fd, 0, size, MapAccess::kReadOnly);
  if (!mapping.ok()) return mapping.status();
  absl::string_view bytes = mapping->view();
  madvise(const_cast<char*>(bytes.data()), bytes.size(), MADV_SEQUENTIAL);
  while (!bytes.empty()) {
    // The kernel reads the pages, so that a file cut short meanwhile is a failed call and no
    // SIGBUS.
    const absl::string_view piece = bytes.substr(0, kPiece);
    if (absl::Status status = writer.Write(piece); !status.ok()) {
      return IsShorter(fd, size) ? Shrunk(size) : status;
    }
    progress.Add(piece.size());
    bytes.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> ReadSome(int fd, std::vector<char>& buffer) {
  while (true) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return ErrnoError(errno, "cannot read");
  }
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return ErrnoError(errno, "cannot write");
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyFile(int fd, uint64_t size, Writer& writer, Progress& progress) {
  if (size >= kMapFrom) return CopyMapped(fd, size, writer, progress);
  std::vector<char> buffer(std::min<uint64_t>(size, kBuffer));
  for (uint64_t done = 0; done < size;) {
    const size_t wanted = std::min<uint64_t>(size - done, buffer.size());
    const absl::StatusOr<size_t> got = ReadAt(fd, done, absl::MakeSpan(buffer.data(), wanted));
    if (!got.ok()) return got.status();
    if (*got == 0) return Shrunk(size);
    const absl::string_view piece(buffer.data(), *got);
    if (absl::Status status = writer.Write(piece); !status.ok()) return status;
    progress.Add(*got);
    done += *got;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> CopyStream(int fd, Writer& writer, Progress& progress) {
  std::vector<char> buffer(kBuffer);
  for (uint64_t done = 0;;) {
    const absl::StatusOr<size_t> got = ReadSome(fd, buffer);
    if (!got.ok()) return got.status();
    if (*got == 0) return done;
    const absl::string_view piece(buffer.data(), *got);
    if (absl::Status status = writer.Write(piece); !status.ok()) return status;
    progress.Add(*got);
    done += *got;
  }
}

absl::Status CopyOut(const Reader& reader, int fd, Progress& progress) {
  // Reading by position into a small buffer is 1.3 to 1.8 times faster than writing from a fresh
  // mapping.
  std::vector<char> buffer(std::min<uint64_t>(reader.size(), kBuffer));
  for (size_t blob = 0; blob < reader.blob_count(); ++blob) {
    for (uint64_t done = 0;;) {
      const absl::StatusOr<size_t> got = reader.Read(done, absl::MakeSpan(buffer), blob);
      if (!got.ok()) return got.status();
      if (*got == 0) break;
      if (absl::Status status = WriteAll(fd, absl::string_view(buffer.data(), *got));
          !status.ok()) {
        return status;
      }
      progress.Add(*got);
      done += *got;
    }
  }
  return absl::OkStatus();
}

}  // namespace packice::cli
