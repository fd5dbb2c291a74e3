#include "catalog_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

constexpr uint64_t kHeaderBytes = 32;
constexpr uint64_t kFrameHeaderBytes = 24;
constexpr uint64_t kSaltsAt = 16;

absl::optional<uint64_t> ReadSalts(int fd) {
  uint64_t salts = 0;
  char bytes[sizeof(salts)];
  absl::StatusOr<size_t> n = ReadAt(fd, kSaltsAt, absl::MakeSpan(bytes));
  if (!n.ok() || *n < sizeof(bytes)) return absl::nullopt;
  std::memcpy(&salts, bytes, sizeof(salts));
  return salts;
}

}  // namespace

void CatalogTail::Committed(uint64_t frames) {
  // Each time: the log may have been begun anew, by this commit or by another program's checkpoint.
  // The last descriptor serves where no other is to be had.
  UniqueFd fd(open(wal_path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) log_ = std::move(fd);
  salts_ = log_ ? ReadSalts(log_.get()) : absl::nullopt;
  frames_ = frames;
}

absl::Status CatalogTail::Cut() {
  // A descriptor of its own: it has not seen the failures of older ones, and SQLite has no locks on
  // this file that closing it would drop.
  const bool again = std::exchange(doubtful_, true);
  const UniqueFd fd(open(wal_path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "cannot open the catalog's log");
  if (!salts_.has_value()) {
    return MakeError(ErrorKind::kIo, "the catalog's log could not be read after its last commit");
  }
  // A log that the failed commit began anew holds nothing that is not in the database.
  const bool begun_anew = ReadSalts(fd.get()) != salts_;
  const uint64_t end = begun_anew ? 0 : kHeaderBytes + frames_ * (kFrameHeaderBytes + page_bytes_);
  const off_t length = lseek(fd.get(), 0, SEEK_END);
  if (length < 0) return ErrnoError(errno, "cannot look at the catalog's log");
  if (again || static_cast<uint64_t>(length) > end) {
    constexpr std::array<char, kHeaderBytes> kZeros = {};
    absl::Status status = WriteAt(fd.get(), end, absl::string_view(kZeros.data(), kZeros.size()));
    if (!status.ok()) return status;
    if (ftruncate(fd.get(), static_cast<off_t>(end)) != 0) {
      return ErrnoError(errno, "cannot cut the catalog's log");
    }
  }
  if (fdatasync(fd.get()) != 0) return ErrnoError(errno, "cannot sync the catalog's log");
  doubtful_ = false;
  return absl::OkStatus();
}

}  // namespace packice
