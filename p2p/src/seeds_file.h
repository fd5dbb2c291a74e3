// Remembers members of a fleet on disk, so that a node that is started anew finds the others
// without being told. Blocks. Thread-compatible.
//
// Text: a line with name and version, then an address a line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace packice {

class SeedsFile {
 public:
  static constexpr size_t kMaxSeeds = 256;

  explicit SeedsFile(std::string path) : path_(std::move(path)) {}

  // Nothing where there is no file. `unsupported` for another version, `io`.
  absl::StatusOr<std::vector<std::string>> Read() const;
  // In place of what it has, at once or not at all; at most kMaxSeeds. `io`, `capacity`.
  absl::Status Write(const std::vector<std::string>& seeds) const;

 private:
  const std::string path_;
};

}  // namespace packice
