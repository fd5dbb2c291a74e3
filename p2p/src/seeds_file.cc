#include "seeds_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

constexpr char kHeader[] = "packice seeds 1";

absl::Status WriteAll(int fd, const std::string& content) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t written = write(fd, content.data() + done, content.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "cannot write the remembered members");
    done += static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SeedsFile::Read() const {
  std::vector<std::string> seeds;
  if (access(path_.c_str(), F_OK) != 0) return seeds;
  std::ifstream file(path_);
  std::string line;
  if (!std::getline(file, line)) {
    return MakeError(ErrorKind::kIo, absl::StrCat("cannot read remembered members from ", path_));
  }
  if (line != kHeader) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat(path_, " does not start with \"", kHeader,
                                  "\": remove it, and this node remembers members anew"));
  }
  while (seeds.size() < kMaxSeeds && std::getline(file, line)) {
    if (!line.empty()) seeds.push_back(line);
  }
  return seeds;
}

absl::Status SeedsFile::Write(const std::vector<std::string>& seeds) const {
  std::string content = absl::StrCat(kHeader, "\n");
  for (size_t i = 0; i < seeds.size() && i < kMaxSeeds; ++i)
    absl::StrAppend(&content, seeds[i], "\n");
  const std::string temporary = absl::StrCat(path_, ".new");
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    return ErrnoError(errno, absl::StrCat("cannot remember members in ", temporary));
  }
  if (absl::Status written = WriteAll(fd.get(), content); !written.ok()) return written;
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot put the remembered members in place at ", path_));
  }
  return absl::OkStatus();
}

}  // namespace packice
