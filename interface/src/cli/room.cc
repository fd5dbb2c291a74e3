#include "cli/room.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cli/memory_limit.h"
#include "cli/text.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

// The nearest directory above that is there already.
std::filesystem::path Existing(const std::string& directory) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(directory, error);
  while (!std::filesystem::exists(path, error) && path.has_relative_path()) {
    path = path.parent_path();
  }
  return path;
}

}  // namespace

absl::StatusOr<Room> RoomOf(const TierSpec& tier) {
  if (tier.capacity.has_value()) return Room{*tier.capacity, ""};
  if (tier.kind == TierSpec::Kind::kMemory) {
    const uint64_t memory = MemoryLimit();
    return Room{memory / 2,
                absl::StrCat(", half of the ", SizeText(memory), " this process may use")};
  }
  const std::filesystem::path path = Existing(tier.data);
  struct statvfs info = {};
  if (statvfs(path.c_str(), &info) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot tell how large the file system of ",
                                          path.string(), " is; give a --capacity"));
  }
  const uint64_t bytes = uint64_t{info.f_blocks} * info.f_frsize;
  return Room{bytes / 10 * 9, absl::StrCat(", nine tenths of the file system's ", SizeText(bytes))};
}

}  // namespace packice::cli
