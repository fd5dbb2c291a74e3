// A program that a test runs: where the calling thread is in the lab, so is the program.
//
// It ends with its owner and with the thread that started it, killed by the kernel if need be.
// Thread-compatible.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "packice/core/unique_fd.h"

namespace packice {

class LabProcess {
 public:
  // `command` begins with the path of the program. What it says on stderr is added to the file
  // `log`, and lost where that is empty. `io`; `not_found` for a program that there is not.
  static absl::StatusOr<LabProcess> Start(const std::vector<std::string>& command,
                                          const std::string& log);

  LabProcess(LabProcess&& other) noexcept;
  LabProcess& operator=(LabProcess&& other) noexcept;
  ~LabProcess();

  pid_t pid() const { return pid_; }
  // A line of its standard output. `timeout`; `unavailable` when it says no more.
  absl::StatusOr<std::string> ReadLine(absl::Duration patience);
  // All the rest of it.
  std::string ReadAll();
  void Signal(int number) const;
  // Its exit code; 128 and the signal's number when a signal ended it. Blocks until it ends; reads
  // its output away.
  int Wait();
  int Kill();

 private:
  LabProcess() = default;

  pid_t pid_ = -1;
  UniqueFd output_;
};

// Runs a program to its end. `io` with what it said when that was no success.
absl::Status RunTool(const std::vector<std::string>& command);

}  // namespace packice
