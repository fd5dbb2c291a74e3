#include "file_identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace packice {
namespace {

const std::string& BootId() {
  static const std::string& id = *[] {
    auto* text = new std::string;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> *text;
    return text;
  }();
  return id;
}

std::string Identity(int directory, const char* path, int flags) {
  struct statx info;
  constexpr unsigned kMask = STATX_INO | STATX_BTIME;
  if (BootId().empty() || statx(directory, path, flags, kMask, &info) != 0 ||
      (info.stx_mask & STATX_INO) == 0) {
    return "";
  }
  std::string identity =
      absl::StrCat(BootId(), "/", info.stx_dev_major, ":", info.stx_dev_minor, "/", info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0) {
    absl::StrAppend(&identity, "/", info.stx_btime.tv_sec, ".", info.stx_btime.tv_nsec);
  }
  return identity;
}

}  // namespace

std::string FileIdentity(int fd) { return Identity(fd, "", AT_EMPTY_PATH); }

std::string FileIdentity(const std::string& path) {
  return Identity(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace packice
