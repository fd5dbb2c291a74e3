#include "packice/backends/file_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "file_size.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/error.h"
#include "write_guard.h"

namespace packice {
namespace {

constexpr uint64_t kStatBlock = 512;  // bytes; what st_blocks counts, stat(3type)

// Reserves the blocks, so that a full disk is known now. Where the file system cannot, only the
// size is set.
absl::Status Reserve(int fd, uint64_t size) {
  if (size == 0) return absl::OkStatus();
  if (absl::Status status = CheckFileSize(fd, size); !status.ok()) return status;
  while (fallocate(fd, 0, 0, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return SetFileSize(fd, size);
    // EFBIG: the file system's own limit for one file, or the process's (RLIMIT_FSIZE).
    return ErrnoError(errno == EFBIG ? ENOSPC : errno,
                      absl::StrCat("cannot reserve ", size, " bytes of disk"));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenAt(const DataDirectory& directory, const std::string& relative,
                                int flags, int mode = 0) {
  const int all = flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;  // a fifo must not block us
  while (true) {
    UniqueFd fd(openat(directory.fd(), relative.c_str(), all, mode));
    if (fd) return fd;
    if (errno == EINTR) continue;
    return ErrnoError(errno, absl::StrCat("cannot open ", directory.PathOf(relative)));
  }
}

// What the path of an attachment names: by now anything may be there.
absl::StatusOr<struct stat> StatOwnFile(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, absl::StrCat("cannot look at ", path));
  if (!S_ISREG(info.st_mode)) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat(path, " is no regular file any more; discard the object"));
  }
  if (info.st_nlink != 1) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat(path, " has ", info.st_nlink,
                                  " names, so that it could be "
                                  "changed by another one; remove the others, or write a copy"));
  }
  return info;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileBlob>> FileBlob::Create(std::shared_ptr<const Home> home,
                                                           BlobName name,
                                                           absl::optional<uint64_t> size) {
  const DataDirectory& directory = *home->directory;
  absl::StatusOr<UniqueFd> fd =
      OpenAt(directory, name.attachment(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd.ok()) return fd.status();
  if (absl::Status status = Reserve(fd->get(), size.value_or(0)); !status.ok()) {
    unlinkat(directory.fd(), name.attachment().c_str(), 0);
    return status;
  }
  return std::unique_ptr<FileBlob>(new FileBlob(std::move(home), name, size, *std::move(fd)));
}

FileBlob::FileBlob(std::shared_ptr<const Home> home, BlobName name,
                   absl::optional<uint64_t> declared, UniqueFd writer)
    : home_(std::move(home)),
      name_(name),
      declared_(declared),
      sealed_(false),
      fate_(Fate::kUnlisted),
      size_(0),
      footprint_(0),
      writer_(std::make_shared<const UniqueFd>(std::move(writer))) {}

FileBlob::FileBlob(std::shared_ptr<const Home> home, BlobName name, uint64_t size,
                   uint64_t footprint)
    : home_(std::move(home)),
      name_(name),
      declared_(size),
      sealed_(true),
      fate_(Fate::kKept),
      size_(size),
      footprint_(footprint),
      renamed_(true) {}

FileBlob::~FileBlob() {
  const Fate fate = fate_.load(std::memory_order_acquire);
  if (fate == Fate::kKept) return;
  const std::string relative = Relative();
  if (unlinkat(home_->directory->fd(), relative.c_str(), 0) != 0 && errno != ENOENT) return;
  if (fate == Fate::kDropped && home_->hooks.unlinked) home_->hooks.unlinked(name_);
}

std::string FileBlob::Relative() const {
  MutexLock lock(mutex_);
  return renamed_ ? name_.object() : name_.attachment();
}

uint64_t FileBlob::size() const {
  if (sealed()) return size_.load(std::memory_order_relaxed);
  if (declared_.has_value()) return *declared_;
  struct stat info;
  const int result =
      fstatat(home_->directory->fd(), Relative().c_str(), &info, AT_SYMLINK_NOFOLLOW);
  return result == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
}

uint64_t FileBlob::footprint() const {
  return sealed() ? footprint_.load(std::memory_order_relaxed) : size();
}

absl::StatusOr<UniqueFd> FileBlob::OpenForReading() const {
  return OpenAt(*home_->directory, Relative(), O_RDONLY);
}

absl::StatusOr<std::shared_ptr<const UniqueFd>> FileBlob::Writer() const {
  MutexLock lock(mutex_);
  if (!given_up_.ok()) return given_up_;
  if (writer_ == nullptr) {
    absl::StatusOr<UniqueFd> fd = OpenAt(*home_->directory, name_.attachment(), O_RDWR);
    if (!fd.ok()) return fd.status();
    writer_ = std::make_shared<const UniqueFd>(*std::move(fd));
  }
  return writer_;
}

absl::StatusOr<size_t> FileBlob::Read(uint64_t offset, absl::Span<char> out) const {
  const bool frozen = sealed();
  const uint64_t end = size();
  if (offset >= end || out.empty()) return size_t{0};
  out = out.subspan(0, static_cast<size_t>(std::min<uint64_t>(out.size(), end - offset)));
  absl::StatusOr<UniqueFd> fd = OpenForReading();
  if (!fd.ok()) return fd.status();
  absl::StatusOr<size_t> n = ReadAt(fd->get(), offset, out);
  if (n.ok() && frozen && *n < out.size()) {
    return MakeError(
        ErrorKind::kCorrupt,
        absl::StrCat(home_->directory->PathOf(name_.object()), " ends after ", offset + *n,
                     " bytes of ", end, "; stop the node and run packice fsck"));
  }
  return n;
}

absl::Status FileBlob::Write(uint64_t offset, absl::string_view bytes) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  if (declared_.has_value() && (offset > *declared_ || bytes.size() > *declared_ - offset)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a write of ", bytes.size(), " bytes at ", offset,
                                  " passes the declared size of ", *declared_));
  }
  absl::StatusOr<std::shared_ptr<const UniqueFd>> writer = Writer();
  if (!writer.ok()) return writer.status();
  return WriteAt((*writer)->get(), offset, bytes);
}

absl::StatusOr<Mapping> FileBlob::Map(MapAccess access) const {
  if (access == MapAccess::kReadWrite && sealed()) {
    return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  }
  const uint64_t wanted = size();
  UniqueFd reader;
  std::shared_ptr<const UniqueFd> writer;
  if (access == MapAccess::kReadOnly) {
    absl::StatusOr<UniqueFd> fd = OpenForReading();
    if (!fd.ok()) return fd.status();
    reader = *std::move(fd);
  } else {
    absl::StatusOr<std::shared_ptr<const UniqueFd>> fd = Writer();
    if (!fd.ok()) return fd.status();
    writer = *std::move(fd);
  }
  const int fd = reader ? reader.get() : writer->get();
  absl::StatusOr<uint64_t> length = FileSize(fd);
  if (!length.ok()) return length.status();
  if (*length < wanted) {  // a touch beyond its end would be SIGBUS
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat("a file of ", wanted, " bytes has been cut to ", *length));
  }
  return Mapping::Map(fd, 0, wanted, access);
}

absl::StatusOr<PieceSums> FileBlob::Sums() const {
  if (!sealed()) return MakeError(ErrorKind::kNotSealed, "a blob has its sums once it is sealed");
  {
    MutexLock lock(mutex_);
    if (sums_.has_value()) return *sums_;
  }
  if (home_->hooks.sums) return home_->hooks.sums(name_);
  return Blob::Sums();
}

BlobDescriptor FileBlob::Describe() const {
  return PathDescriptor{home_->directory->PathOf(Relative()), 0, size()};
}

absl::Status FileBlob::Seal(absl::optional<uint64_t> size) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
  if (declared_.has_value() && size.has_value() && *size != *declared_) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a final size of ", *size,
                                  " bytes contradicts the declared size of ", *declared_));
  }
  {
    MutexLock lock(mutex_);
    if (!given_up_.ok()) return given_up_;
    writer_.reset();  // it would be in the way of the guard
  }
  absl::StatusOr<UniqueFd> fd = OpenAt(*home_->directory, name_.attachment(), O_RDONLY);
  if (!fd.ok()) return fd.status();
  const std::string path = home_->directory->PathOf(name_.attachment());
  absl::StatusOr<struct stat> info = StatOwnFile(fd->get(), path);
  if (!info.ok()) return info.status();
  const uint64_t length = static_cast<uint64_t>(info->st_size);
  const uint64_t wanted = declared_.has_value() ? *declared_ : size.value_or(length);
  if (length != wanted) {
    if (declared_.has_value()) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat(path, " has ", length, " bytes, and ", wanted,
                                    " were declared; write it anew, or discard the object"));
    }
    if (absl::Status status = SetFinalSize(fd->get(), wanted); !status.ok()) return status;
  }
  if (absl::Status status = Freeze(fd->get(), wanted); !status.ok()) {
    fchmod(fd->get(), 0600);  // as it was
    return status;
  }
  return MakeDurable(fd->get(), wanted);
}

// Of a blob without a declared size; not while somebody writes it.
absl::Status FileBlob::SetFinalSize(int fd, uint64_t size) {
  if (absl::StatusOr<WriteGuard> guard = WriteGuard::Take(fd); !guard.ok()) return guard.status();
  absl::StatusOr<UniqueFd> writer = OpenAt(*home_->directory, name_.attachment(), O_RDWR);
  if (!writer.ok()) return writer.status();
  return SetFileSize(writer->get(), size);
}

// From the first line on nobody but root opens the file for writing, the guard finds those who
// have, and whoever slips in between is found at the end: the bytes that were summed are the bytes
// that stay.
absl::Status FileBlob::Freeze(int fd, uint64_t size) {
  if (fchmod(fd, 0400) != 0) return ErrnoError(errno, "cannot make an attachment read-only");
  absl::StatusOr<WriteGuard> guard = WriteGuard::Take(fd);
  if (!guard.ok()) return guard.status();
  // The disk may begin while the bytes are summed. A hint: what counts is fdatasync(2) later.
  sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  absl::StatusOr<PieceSums> sums = SumFile(fd, size);
  if (!sums.ok() && KindOf(sums.status()) != ErrorKind::kCorrupt) return sums.status();
  absl::StatusOr<uint64_t> length = FileSize(fd);
  if (!length.ok()) return length.status();
  if (!sums.ok() || *length != size || !guard->Undisturbed()) {
    return MakeError(ErrorKind::kBusy,
                     "a process began to write the file while it was being sealed; let it end, and "
                     "seal again");
  }
  MutexLock lock(mutex_);
  sums_ = *std::move(sums);
  return absl::OkStatus();
}

// Rename first, sync after: on ext4 the file's own sync then carries the new name to disk, and the
// directory's finds nothing left to do. The name may be there early, because only the catalog makes
// an object.
absl::Status FileBlob::MakeDurable(int fd, uint64_t size) {
  const int directory = home_->directory->fd();
  if (renameat(directory, name_.attachment().c_str(), directory, name_.object().c_str()) != 0) {
    const int error = errno;
    fchmod(fd, 0600);
    return ErrnoError(error,
                      absl::StrCat("cannot move ", name_.attachment(), " to ", name_.object()));
  }
  {
    MutexLock lock(mutex_);
    renamed_ = true;
  }
  absl::StatusOr<uint64_t> blocks = Sync(fd);
  if (!blocks.ok()) {
    MutexLock lock(mutex_);
    given_up_ = MakeError(ErrorKind::kIo, absl::StrCat("the blob was given up when it could not be "
                                                       "made durable (",
                                                       blocks.status().message(),
                                                       "); discard the object and create it anew"));
    return blocks.status();
  }
  size_.store(size, std::memory_order_relaxed);
  footprint_.store(*blocks * kStatBlock, std::memory_order_relaxed);
  sealed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FileBlob::Sync(int fd) const {
  while (fdatasync(fd) != 0) {
    if (errno == EINTR) continue;  // which drops nothing, as a failure does
    return ErrnoError(errno, absl::StrCat("cannot sync ", name_.object()));
  }
  if (absl::Status status = home_->directory->SyncShard(name_.shard); !status.ok()) return status;
  // Whoever was told the path may have put another file there between our open and our rename.
  struct stat opened;
  struct stat named;
  if (fstat(fd, &opened) != 0 ||
      fstatat(home_->directory->fd(), name_.object().c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot look at ", name_.object()));
  }
  if (opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
    return static_cast<uint64_t>(opened.st_blocks);
  }
  return MakeError(ErrorKind::kIo,
                   "another file was put in the place of an attachment while it was being sealed");
}

absl::Status FileBlob::Verify(bool thoroughly) const {
  const std::string path = home_->directory->PathOf(name_.object());
  struct stat info;
  if (fstatat(home_->directory->fd(), name_.object().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return MakeError(ErrorKind::kCorrupt, absl::StrCat(path, " is missing"));
    return ErrnoError(errno, absl::StrCat("cannot look at ", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return MakeError(ErrorKind::kCorrupt, absl::StrCat(path, " is no regular file"));
  }
  if (static_cast<uint64_t>(info.st_size) != size()) {
    return MakeError(ErrorKind::kCorrupt, absl::StrCat(path, " has ", info.st_size,
                                                       " bytes, and was sealed with ", size()));
  }
  if (!thoroughly) return absl::OkStatus();
  absl::StatusOr<PieceSums> sealed = Sums();
  if (!sealed.ok()) return sealed.status();
  absl::StatusOr<UniqueFd> fd = OpenForReading();
  if (!fd.ok()) return fd.status();
  absl::StatusOr<PieceSums> now = SumFile(fd->get(), size());
  if (!now.ok()) return now.status();
  const std::vector<uint64_t> differing = DifferingPieces(*sealed, *now);
  if (differing.empty()) return absl::OkStatus();
  return MakeError(ErrorKind::kCorrupt,
                   absl::StrCat(path, " has changed since it was sealed, in ", differing.size(),
                                " of its pieces of 1 MiB: ", ListOfPieces(differing)));
}

}  // namespace packice
