// What the tests of the durable medium share: a directory that goes with the test, files in it.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/backends/data_directory.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_("/tmp/packice-backends-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

// Every file below `path` with its bytes, but for `lock`, which names the latest process.
inline std::map<std::string, std::string> FilesBelow(const std::string& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file() || entry.path().filename() == "lock") continue;
    files[std::filesystem::relative(entry.path(), path)] = ReadFile(entry.path());
  }
  return files;
}

// `size` bytes that differ from their neighbours.
inline std::string PatternOf(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

}  // namespace packice
