// The C library's calls that change files, as the dynamic linker finds them before the C library's
// own (ld.so(8), LD_PRELOAD). Only these names are visible outside of this library.
//
// The call itself is always made as a system call, so that nothing depends on who else interposes.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>

#include "disk.h"

#define PACKICE_INTERPOSED extern "C" __attribute__((visibility("default")))

using packice::faulty_disk::Call;
using packice::faulty_disk::Disk;

namespace {

// ---- Open ----

int OpenFile(int at, const char* path, int flags, mode_t mode) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_openat, at, path, flags, mode)); };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Open(at, path, flags, real);
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

// ---- Write ----

template <typename Real>
ssize_t WriteFile(int fd, size_t size, std::optional<off_t> offset, Real real) {
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real(size) : disk->Write(fd, size, offset, real);
}

ssize_t PositionedWrite(int fd, const void* bytes, size_t size, off_t offset) {
  return WriteFile(fd, size, offset,
                   [&](size_t n) { return syscall(SYS_pwrite64, fd, bytes, n, offset); });
}

size_t SizeOf(const iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

// The parts up to `size` bytes, to the nearest part if there are several.
template <typename Real>
auto WithParts(const iovec* parts, int count, Real real) {
  return [=](size_t size) -> ssize_t {
    if (size >= SizeOf(parts, count)) return real(parts, count);
    if (count > 1) return real(parts, count / 2);
    const iovec part = {parts[0].iov_base, size};
    return real(&part, 1);
  };
}

ssize_t PositionedWriteParts(int fd, const iovec* parts, int count, off_t offset) {
  return WriteFile(fd, SizeOf(parts, count), offset,
                   WithParts(parts, count, [=](const iovec* some, int n) {
                     return syscall(SYS_pwritev, fd, some, n, offset, 0L);
                   }));
}

template <typename Real>
ssize_t ChangeFile(Call call, int fd, Real real) {
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Change(call, fd, real);
}

int TruncateFile(int fd, off_t size) {
  return static_cast<int>(
      ChangeFile(Call::kTruncate, fd, [&] { return syscall(SYS_ftruncate, fd, size); }));
}

int TruncatePath(const char* path, off_t size) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_truncate, path, size)); };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Truncate(path, real);
}

int AllocateFile(int fd, int mode, off_t offset, off_t size) {
  return static_cast<int>(ChangeFile(
      Call::kAllocate, fd, [&] { return syscall(SYS_fallocate, fd, mode, offset, size); }));
}

// posix_fallocate(3) answers the error and leaves errno alone.
int PosixAllocateFile(int fd, off_t offset, off_t size) {
  const int before = errno;
  const int error = AllocateFile(fd, 0, offset, size) == 0 ? 0 : errno;
  errno = before;
  return error;
}

ssize_t SendFile(int to, int from, off_t* offset, size_t size) {
  return ChangeFile(Call::kWrite, to,
                    [&] { return syscall(SYS_sendfile, to, from, offset, size); });
}

// ---- Sync ----

int SyncFile(int fd, bool with_mode) {
  const auto real = [&] {
    return static_cast<int>(syscall(with_mode ? SYS_fsync : SYS_fdatasync, fd));
  };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Sync(fd, with_mode, real);
}

// ---- Names ----

int Rename(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  const auto real = [&] {
    return static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, flags));
  };
  Disk* const disk = Disk::Get();
  if (disk == nullptr) return real();
  return disk->Move(Call::kRename, to_at, to, disk->Resolve(from_at, from), real);
}

int Link(int from_at, const char* from, int to_at, const char* to, int flags) {
  const auto real = [&] {
    return static_cast<int>(syscall(SYS_linkat, from_at, from, to_at, to, flags));
  };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Move(Call::kLink, to_at, to, std::nullopt, real);
}

int Remove(int at, const char* path, int flags) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_unlinkat, at, path, flags)); };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->Remove(at, path, (flags & AT_REMOVEDIR) != 0, real);
}

int MakeDirectory(int at, const char* path, mode_t mode) {
  const auto real = [&] { return static_cast<int>(syscall(SYS_mkdirat, at, path, mode)); };
  Disk* const disk = Disk::Get();
  return disk == nullptr ? real() : disk->MakeDirectory(at, path, real);
}

}  // namespace

// ---- open(2), and what the C library's headers make of it ----

#define PACKICE_OPEN(name)                                        \
  PACKICE_INTERPOSED int name(const char* path, int flags, ...) { \
    va_list arguments;                                            \
    va_start(arguments, flags);                                   \
    const mode_t mode = ModeOf(flags, arguments);                 \
    va_end(arguments);                                            \
    return OpenFile(AT_FDCWD, path, flags, mode);                 \
  }
#define PACKICE_OPENAT(name)                                              \
  PACKICE_INTERPOSED int name(int at, const char* path, int flags, ...) { \
    va_list arguments;                                                    \
    va_start(arguments, flags);                                           \
    const mode_t mode = ModeOf(flags, arguments);                         \
    va_end(arguments);                                                    \
    return OpenFile(at, path, flags, mode);                               \
  }
PACKICE_OPEN(open)
PACKICE_OPEN(open64)
PACKICE_OPENAT(openat)
PACKICE_OPENAT(openat64)
#undef PACKICE_OPEN
#undef PACKICE_OPENAT

PACKICE_INTERPOSED int __open_2(const char* path, int flags) {
  return OpenFile(AT_FDCWD, path, flags, 0);
}
PACKICE_INTERPOSED int __open64_2(const char* path, int flags) {
  return OpenFile(AT_FDCWD, path, flags, 0);
}
PACKICE_INTERPOSED int __openat_2(int at, const char* path, int flags) {
  return OpenFile(at, path, flags, 0);
}
PACKICE_INTERPOSED int __openat64_2(int at, const char* path, int flags) {
  return OpenFile(at, path, flags, 0);
}
PACKICE_INTERPOSED int creat(const char* path, mode_t mode) {
  return OpenFile(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
PACKICE_INTERPOSED int creat64(const char* path, mode_t mode) { return creat(path, mode); }

// ---- write(2) and its kin ----

PACKICE_INTERPOSED ssize_t write(int fd, const void* bytes, size_t size) {
  return WriteFile(fd, size, std::nullopt,
                   [&](size_t n) { return syscall(SYS_write, fd, bytes, n); });
}
PACKICE_INTERPOSED ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return PositionedWrite(fd, bytes, size, offset);
}
PACKICE_INTERPOSED ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return PositionedWrite(fd, bytes, size, offset);
}
PACKICE_INTERPOSED ssize_t writev(int fd, const iovec* parts, int count) {
  return WriteFile(fd, SizeOf(parts, count), std::nullopt,
                   WithParts(parts, count, [=](const iovec* some, int n) {
                     return syscall(SYS_writev, fd, some, n);
                   }));
}
PACKICE_INTERPOSED ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return PositionedWriteParts(fd, parts, count, offset);
}
PACKICE_INTERPOSED ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return PositionedWriteParts(fd, parts, count, offset);
}
PACKICE_INTERPOSED ssize_t copy_file_range(int from, off64_t* from_offset, int to,
                                           off64_t* to_offset, size_t size, unsigned flags) {
  return ChangeFile(Call::kWrite, to, [&] {
    return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags);
  });
}
PACKICE_INTERPOSED ssize_t sendfile(int to, int from, off_t* offset, size_t size) noexcept {
  return SendFile(to, from, offset, size);
}
PACKICE_INTERPOSED ssize_t sendfile64(int to, int from, off64_t* offset, size_t size) noexcept {
  return SendFile(to, from, offset, size);
}
PACKICE_INTERPOSED ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset,
                                  size_t size, unsigned flags) {
  return ChangeFile(Call::kWrite, to, [&] {
    return syscall(SYS_splice, from, from_offset, to, to_offset, size, flags);
  });
}

// ---- Sizes ----

PACKICE_INTERPOSED int ftruncate(int fd, off_t size) noexcept { return TruncateFile(fd, size); }
PACKICE_INTERPOSED int ftruncate64(int fd, off64_t size) noexcept { return TruncateFile(fd, size); }
PACKICE_INTERPOSED int truncate(const char* path, off_t size) noexcept {
  return TruncatePath(path, size);
}
PACKICE_INTERPOSED int truncate64(const char* path, off64_t size) noexcept {
  return TruncatePath(path, size);
}
PACKICE_INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t size) {
  return AllocateFile(fd, mode, offset, size);
}
PACKICE_INTERPOSED int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  return AllocateFile(fd, mode, offset, size);
}
PACKICE_INTERPOSED int posix_fallocate(int fd, off_t offset, off_t size) {
  return PosixAllocateFile(fd, offset, size);
}
PACKICE_INTERPOSED int posix_fallocate64(int fd, off64_t offset, off64_t size) {
  return PosixAllocateFile(fd, offset, size);
}

// ---- Syncs ----

PACKICE_INTERPOSED int fsync(int fd) { return SyncFile(fd, true); }
PACKICE_INTERPOSED int fdatasync(int fd) { return SyncFile(fd, false); }

// ---- Names ----

PACKICE_INTERPOSED int rename(const char* from, const char* to) noexcept {
  return Rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}
PACKICE_INTERPOSED int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
  return Rename(from_at, from, to_at, to, 0);
}
PACKICE_INTERPOSED int renameat2(int from_at, const char* from, int to_at, const char* to,
                                 unsigned flags) noexcept {
  return Rename(from_at, from, to_at, to, flags);
}
PACKICE_INTERPOSED int link(const char* from, const char* to) noexcept {
  return Link(AT_FDCWD, from, AT_FDCWD, to, 0);
}
PACKICE_INTERPOSED int linkat(int from_at, const char* from, int to_at, const char* to,
                              int flags) noexcept {
  return Link(from_at, from, to_at, to, flags);
}
PACKICE_INTERPOSED int unlink(const char* path) noexcept { return Remove(AT_FDCWD, path, 0); }
PACKICE_INTERPOSED int unlinkat(int at, const char* path, int flags) noexcept {
  return Remove(at, path, flags);
}
PACKICE_INTERPOSED int rmdir(const char* path) noexcept {
  return Remove(AT_FDCWD, path, AT_REMOVEDIR);
}
PACKICE_INTERPOSED int remove(const char* path) noexcept {
  const int result = Remove(AT_FDCWD, path, 0);
  return result != 0 && errno == EISDIR ? Remove(AT_FDCWD, path, AT_REMOVEDIR) : result;
}
PACKICE_INTERPOSED int mkdir(const char* path, mode_t mode) noexcept {
  return MakeDirectory(AT_FDCWD, path, mode);
}
PACKICE_INTERPOSED int mkdirat(int at, const char* path, mode_t mode) noexcept {
  return MakeDirectory(at, path, mode);
}
