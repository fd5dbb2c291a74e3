#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

namespace packice::faulty_disk {
namespace {

// proc(5): where the descriptor's file is; of one that is unlinked, where it was.
std::string PathOf(int fd) {
  char link[PATH_MAX];
  const ssize_t length =
      readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), link, sizeof(link));
  if (length <= 0) return "";
  std::string path(link, static_cast<size_t>(length));
  const std::string deleted = " (deleted)";
  if (path.size() > deleted.size() &&
      path.compare(path.size() - deleted.size(), deleted.size(), deleted) == 0) {
    path.resize(path.size() - deleted.size());
  }
  return path;
}

}  // namespace

Tree::Tree(const std::string& root) {
  char canonical[PATH_MAX];
  struct stat stat;
  if (realpath(root.c_str(), canonical) == nullptr || ::stat(canonical, &stat) != 0) {
    std::fprintf(stderr, "faulty disk: there is no %s\n", root.c_str());
    abort();
  }
  root_ = canonical;
  device_ = stat.st_dev;
}

std::optional<std::string> Tree::Relative(const std::string& absolute) const {
  if (absolute == root_) return ".";
  if (absolute.size() <= root_.size() || absolute.compare(0, root_.size(), root_) != 0 ||
      absolute[root_.size()] != '/') {
    return std::nullopt;
  }
  return absolute.substr(root_.size() + 1);
}

std::optional<std::string> Tree::Resolve(int at, const char* path) const {
  std::string parent = path == nullptr ? "" : path;
  while (parent.size() > 1 && parent.back() == '/') parent.pop_back();
  const size_t slash = parent.rfind('/');
  std::string name = parent.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name.empty()) return std::nullopt;
  if (name == "." || name == "..") {
    name.clear();
  } else {
    parent.resize(slash == std::string::npos ? 0 : slash);
    if (slash == 0) parent = "/";
    if (parent.empty()) parent = ".";
  }
  const long fd = syscall(SYS_openat, at, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const std::string real_parent = PathOf(static_cast<int>(fd));
  syscall(SYS_close, fd);
  if (name.empty()) return Relative(real_parent);
  return Relative(real_parent == "/" ? real_parent + name : real_parent + '/' + name);
}

std::optional<OpenFile> Tree::Lookup(int fd) const {
  OpenFile file;
  if (fstat(fd, &file.stat) != 0 || file.stat.st_dev != device_) return std::nullopt;
  if (!S_ISREG(file.stat.st_mode) && !S_ISDIR(file.stat.st_mode)) return std::nullopt;
  const std::optional<std::string> path = Relative(PathOf(fd));
  if (!path) return std::nullopt;
  file.path = *path;
  return file;
}

}  // namespace packice::faulty_disk
