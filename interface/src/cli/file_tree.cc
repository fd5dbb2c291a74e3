#include "cli/file_tree.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "packice/core/error.h"
#include "packice/core/object_id.h"

namespace packice::cli {
namespace {

namespace fs = std::filesystem;

absl::Status Failure(const std::error_code& error, const std::string& path) {
  return ErrnoError(error.value(), absl::StrCat("cannot look through ", path));
}

}  // namespace

absl::StatusOr<FileTree> ScanTree(const std::string& root) {
  FileTree tree;
  std::error_code error;
  fs::recursive_directory_iterator it(root, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::path& path = it->path();
    std::error_code gone;  // a dangling link, or a file removed meanwhile
    if (!it->is_regular_file(gone)) continue;
    const uint64_t size = it->file_size(gone);
    if (gone) continue;
    tree.bytes += size;
    tree.files.push_back({path.string(), path.lexically_relative(root).string()});
  }
  if (error) return Failure(error, root);
  std::sort(tree.files.begin(), tree.files.end(),
            [](const FileTree::File& a, const FileTree::File& b) { return a.name < b.name; });
  return tree;
}

absl::StatusOr<std::string> PathBelow(absl::string_view prefix, absl::string_view id) {
  absl::string_view rest = absl::StripPrefix(id, prefix);
  if (!prefix.empty() && prefix.back() != '/') absl::ConsumePrefix(&rest, "/");
  if (rest.empty()) rest = id.substr(id.rfind('/') + 1);  // npos + 1 is 0: all of it
  for (const absl::string_view part : absl::StrSplit(rest, '/')) {
    if (part.empty() || part == "." || part == ".." || part.find('\0') != absl::string_view::npos) {
      const absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
      return MakeError(
          ErrorKind::kInvalidArgument,
          absl::StrCat("object ", object_id.ok() ? object_id->ToQuoted() : "\"\"",
                       " names no file below a directory; get it by its id, with -o FILE"));
    }
  }
  return std::string(rest);
}

}  // namespace packice::cli
