#include "cli/memory_limit.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace packice::cli {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// "max", as v2 says it, and a missing file are no limit.
uint64_t ReadLimit(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string word;
  uint64_t limit = 0;
  return in >> word && absl::SimpleAtoi(word, &limit) ? limit : kNoLimit;
}

// The least limit of a group and of those it is in: each binds.
uint64_t LimitUpwards(const std::filesystem::path& root, absl::string_view group,
                      const std::string& file) {
  uint64_t limit = ReadLimit(root / file);
  std::filesystem::path path = root;
  for (const absl::string_view part : absl::StrSplit(group, '/', absl::SkipEmpty())) {
    path /= std::string(part);
    limit = std::min(limit, ReadLimit(path / file));
  }
  return limit;
}

uint64_t ControlGroupLimit(const std::string& proc, const std::filesystem::path& cgroups) {
  uint64_t limit = kNoLimit;
  std::ifstream groups(proc + "/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    // "0::/path" is v2, "7:memory:/path" v1 (cgroups(7)).
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (fields[0] == "0" && fields[1].empty()) {
      limit = std::min(limit, LimitUpwards(cgroups, fields[2], "memory.max"));
    } else if (std::count(controllers.begin(), controllers.end(), "memory") > 0) {
      limit = std::min(limit, LimitUpwards(cgroups / "memory", fields[2], "memory.limit_in_bytes"));
    }
  }
  return limit;
}

uint64_t PhysicalMemory(const std::string& proc) {
  std::ifstream in(proc + "/meminfo");
  std::string key;
  uint64_t kibibytes = 0;
  while (in >> key) {
    if (key == "MemTotal:" && in >> kibibytes) return kibibytes * 1024;
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kNoLimit;
}

}  // namespace

uint64_t MemoryLimit(const std::string& proc, const std::string& cgroups) {
  return std::min(PhysicalMemory(proc), ControlGroupLimit(proc, cgroups));
}

}  // namespace packice::cli
