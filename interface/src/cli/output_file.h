// A file that appears whole or not at all.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "packice/core/unique_fd.h"

namespace packice::cli {

// Written beside its place and renamed into it by Commit; without Commit nothing is left of it.
// What exists and is no regular file (a device, a pipe) is written to as it is. Move-only;
// thread-compatible.
class OutputFile {
 public:
  static absl::StatusOr<OutputFile> Create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept = default;
  ~OutputFile();

  int fd() const { return fd_.get(); }
  absl::Status Commit();

 private:
  OutputFile(UniqueFd fd, std::string path, std::string temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}

  UniqueFd fd_;
  std::string path_;
  std::string temporary_;  // empty: written in place, or committed
};

}  // namespace packice::cli
