// A directory of a test's own; goes with all that is in it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace packice {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "packice-test-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace packice
