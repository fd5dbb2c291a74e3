#include "disk.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "listing.h"

namespace packice::faulty_disk {

Disk* Disk::Get() {
  // Never destroyed, because calls come until the very end.
  static Disk* const disk = []() -> Disk* {
    const char* const tree = std::getenv(kTreeVariable);
    if (tree == nullptr) return nullptr;
    return new Disk(tree, std::getenv(kShadowVariable), std::getenv(kRulesVariable));
  }();
  return disk;
}

Disk::Disk(const char* tree, const char* shadow, const char* rules)
    : tree_(tree), rules_(rules == nullptr ? "" : rules), layout_{shadow == nullptr ? "" : shadow} {
  if (shadow != nullptr) shadow_.emplace(shadow);
  // What a test starts ends with it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void Disk::Die() {
  while (true) {
    kill(getpid(), SIGKILL);
    pause();
  }
}

Verdict Disk::Judge(Call call, const std::string& path) {
  const int before = errno;
  const Verdict verdict = rules_.Judge(call, path);
  if (verdict.action == Action::kKillBefore) Die();
  errno = before;
  return verdict;
}

int Disk::BuryDirectory(const std::string& path) {
  struct stat stat;
  if (lstat(path.c_str(), &stat) != 0) return -1;
  if (!S_ISDIR(stat.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  if (!ListDirectory(AT_FDCWD, path).empty()) {
    errno = ENOTEMPTY;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD,
                                  layout_.Grave(stat.st_ino).c_str(), 0));
}

}  // namespace packice::faulty_disk
