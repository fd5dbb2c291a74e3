// Which calls are about files of the tree, and what these files are called in it.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

namespace packice::faulty_disk {

// A regular file or directory of the tree that is open.
struct OpenFile {
  std::string path;  // relative to the tree; "." is the tree
  struct stat stat;

  bool directory() const { return S_ISDIR(stat.st_mode); }
};

class Tree {
 public:
  // `root` exists.
  explicit Tree(const std::string& root);

  // What `path` (openat(2)) names, relative to the tree, whether it exists or not. Nothing when
  // that is not in the tree. A symbolic link is itself.
  std::optional<std::string> Resolve(int at, const char* path) const;
  // Nothing for a descriptor of anything else.
  std::optional<OpenFile> Lookup(int fd) const;
  std::string Absolute(const std::string& relative) const { return root_ + '/' + relative; }

 private:
  std::optional<std::string> Relative(const std::string& absolute) const;

  std::string root_;
  dev_t device_ = 0;
};

}  // namespace packice::faulty_disk
