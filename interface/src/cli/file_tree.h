// Directories as sets of files, and ids as paths below a directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice::cli {

struct FileTree {
  struct File {
    std::string path;  // to be opened
    std::string name;  // relative to the tree's root, with slashes
  };
  std::vector<File> files;  // in the byte order of their names
  uint64_t bytes = 0;       // of all of them
};

// The regular files under `root`, and symbolic links to regular files, which stand for what they
// point at. Links to directories are not followed, so that no loop is; anything else (sockets,
// devices, dangling links) is left out. `permission_denied` and `io` where a directory cannot be
// read.
absl::StatusOr<FileTree> ScanTree(const std::string& root);

// Where the object `id` goes below a directory, when `prefix`, with which the id starts, is cut
// off; one slash between prefix and rest goes too. An id that is the prefix itself goes by its last
// part. `invalid_argument` for what would lead out of the directory or name no file: absolute
// paths, empty parts, "." and "..", NULs.
absl::StatusOr<std::string> PathBelow(absl::string_view prefix, absl::string_view id);

}  // namespace packice::cli
