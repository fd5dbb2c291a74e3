// The faulty disk of this process: each call that concerns the tree goes through one of these
// functions, which do what the rules and the shadow want, around `real`, the call itself.
//
// `real` answers as system calls do: negative and errno.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>

#include "rules.h"
#include "shadow.h"
#include "tree.h"

namespace packice::faulty_disk {

class Disk {
 public:
  // Nothing when the environment names no tree.
  static Disk* Get();

  template <typename Real>
  int Open(int at, const char* path, int flags, Real real);
  // Of `size` bytes; real(n) writes the first n of them. At `offset`, or nothing: where the
  // descriptor is.
  template <typename Real>
  ssize_t Write(int fd, size_t size, std::optional<off_t> offset, Real real);
  // Of bytes that are not seen: copies, and changes of the size.
  template <typename Real>
  ssize_t Change(Call call, int fd, Real real);
  template <typename Real>
  int Truncate(const char* path, Real real);
  template <typename Real>
  int Sync(int fd, bool with_mode, Real real);
  // rename and link: `from` is the name that goes away, or nothing.
  template <typename Real>
  int Move(Call call, int at, const char* to, std::optional<std::string> from, Real real);
  template <typename Real>
  int Remove(int at, const char* path, bool directory, Real real);
  template <typename Real>
  int MakeDirectory(int at, const char* path, Real real);

  std::optional<std::string> Resolve(int at, const char* path) const {
    return tree_.Resolve(at, path);
  }

 private:
  Disk(const char* tree, const char* shadow, const char* rules);

  // The verdict; never comes back from kKillBefore.
  Verdict Judge(Call call, const std::string& path);
  static void Die();
  // open(2), not through this library's.
  static int OpenUnseen(const char* path, int flags) {
    return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0));
  }
  template <typename Real>
  auto Carry(const Verdict& verdict, Real real) -> decltype(real());
  // rmdir(2), but the directory keeps its inode.
  int BuryDirectory(const std::string& path);

  Tree tree_;
  Rules rules_;
  std::optional<Shadow> shadow_;
  const ShadowLayout layout_;
};

template <typename Real>
auto Disk::Carry(const Verdict& verdict, Real real) -> decltype(real()) {
  if (verdict.action == Action::kFail) {
    errno = verdict.error;
    return -1;
  }
  const auto result = real();
  if (verdict.action == Action::kKillAfter) Die();
  return result;
}

template <typename Real>
int Disk::Open(int at, const char* path, int flags, Real real) {
  const std::optional<std::string> name = Resolve(at, path);
  if (!name) return real();
  const std::string absolute = tree_.Absolute(*name);
  const bool creates = (flags & O_CREAT) != 0 && access(absolute.c_str(), F_OK) != 0;
  const Verdict verdict = Judge(creates ? Call::kCreate : Call::kOpen, *name);
  const bool cuts = shadow_ && !creates && (flags & O_TRUNC) != 0;
  if (cuts) {
    const int fd = OpenUnseen(absolute.c_str(), O_RDONLY);
    const std::optional<OpenFile> file = fd < 0 ? std::nullopt : tree_.Lookup(fd);
    if (file) shadow_->Keep(fd, *file);
    if (fd >= 0) close(fd);
  }
  return Carry(verdict, [&] {
    const int fd = real();
    const std::optional<OpenFile> file = cuts && fd >= 0 ? tree_.Lookup(fd) : std::nullopt;
    if (file) shadow_->Changed(file->stat.st_ino);
    return fd;
  });
}

template <typename Real>
ssize_t Disk::Write(int fd, size_t size, std::optional<off_t> offset, Real real) {
  const std::optional<OpenFile> file = tree_.Lookup(fd);
  if (!file || file->directory()) return real(size);
  const Verdict verdict = Judge(Call::kWrite, file->path);
  if (shadow_) shadow_->Keep(fd, *file);
  if (verdict.action == Action::kShort && size > 1) size /= 2;
  return Carry(verdict, [&] {
    const ssize_t n = real(size);
    if (shadow_ && n > 0) {
      const off_t from = offset ? *offset : lseek(fd, 0, SEEK_CUR) - n;
      shadow_->Wrote(file->stat.st_ino, from, from + n);
    }
    return n;
  });
}

template <typename Real>
ssize_t Disk::Change(Call call, int fd, Real real) {
  const std::optional<OpenFile> file = tree_.Lookup(fd);
  if (!file || file->directory()) return real();
  const Verdict verdict = Judge(call, file->path);
  if (shadow_) shadow_->Keep(fd, *file);
  return Carry(verdict, [&] {
    const ssize_t result = real();
    if (shadow_ && result >= 0) shadow_->Changed(file->stat.st_ino);
    return result;
  });
}

template <typename Real>
int Disk::Truncate(const char* path, Real real) {
  const std::optional<std::string> name = Resolve(AT_FDCWD, path);
  const int fd = name ? OpenUnseen(path, O_WRONLY) : -1;
  if (fd < 0) return real();
  const int result = static_cast<int>(Change(Call::kTruncate, fd, real));
  close(fd);
  return result;
}

template <typename Real>
int Disk::Sync(int fd, bool with_mode, Real real) {
  const std::optional<OpenFile> file = tree_.Lookup(fd);
  if (!file) return real();
  const bool directory = file->directory();
  const Verdict verdict = Judge(directory ? Call::kSyncDirectory : Call::kSync, file->path);
  if (verdict.action == Action::kSkip) return 0;
  if (verdict.action == Action::kFail && verdict.error != EINTR && shadow_) {
    directory ? shadow_->LoseDirectory(fd, *file) : shadow_->LoseFile(fd, *file);
  }
  return Carry(verdict, [&] {
    // The shadow is all the disk there is, and quick.
    if (!shadow_) return real();
    directory ? shadow_->SyncDirectory(fd, *file) : shadow_->SyncFile(fd, *file, with_mode);
    return 0;
  });
}

template <typename Real>
int Disk::Move(Call call, int at, const char* to, std::optional<std::string> from, Real real) {
  const std::optional<std::string> name = Resolve(at, to);
  if (!name && !from) return real();
  const Verdict verdict = Judge(call, name ? *name : *from);
  if (shadow_ && name && call == Call::kRename) shadow_->Bury(tree_.Absolute(*name));
  if (shadow_ && from && !name) shadow_->Bury(tree_.Absolute(*from));
  return Carry(verdict, real);
}

template <typename Real>
int Disk::Remove(int at, const char* path, bool directory, Real real) {
  const std::optional<std::string> name = Resolve(at, path);
  if (!name) return real();
  const Verdict verdict = Judge(directory ? Call::kRemoveDirectory : Call::kUnlink, *name);
  return Carry(verdict, [&] {
    const std::string absolute = tree_.Absolute(*name);
    if (shadow_ && directory) return BuryDirectory(absolute);
    if (shadow_) shadow_->Bury(absolute);
    return real();
  });
}

template <typename Real>
int Disk::MakeDirectory(int at, const char* path, Real real) {
  const std::optional<std::string> name = Resolve(at, path);
  if (!name) return real();
  return Carry(Judge(Call::kMakeDirectory, *name), real);
}

}  // namespace packice::faulty_disk
