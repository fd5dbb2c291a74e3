#include "open_descriptors.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

namespace packice {

// Since Linux 6.2 the directory's size says so (proc_pid_fd(5)); before, it is counted.
uint64_t OpenDescriptors() {
  struct stat info;
  if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<uint64_t>(info.st_size);
  }
  std::error_code error;
  uint64_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count == 0 ? 0 : count - 1;  // less the one that lists them
}

}  // namespace packice
