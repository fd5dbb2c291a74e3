// Processes of a test: other parts of the test's own program, or a forked copy of it. They end with
// their owner, killed if need be, and with the test's program.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "packice/core/unique_fd.h"

namespace packice {

// What the test's program does when it is started as `name`, with its arguments; answers its exit
// code. To be made static, before main().
struct Role {
  using Run = int (*)(const std::vector<std::string>& arguments);
  Role(const char* name, Run run);
};

class ChildProcess {
 public:
  // This program anew, in a role.
  static ChildProcess Start(const std::string& role, const std::vector<std::string>& arguments);
  // A program, with its arguments.
  static ChildProcess StartProgram(const std::vector<std::string>& command);
  // A copy of this process, which must have one thread, that has no descriptors but its standard
  // ones. It runs `body`, says "ready" (or "failed" when an expectation failed), and stays until it
  // is killed.
  static ChildProcess Fork(const std::function<void()>& body);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // A line of its standard output; empty when there is none before kPatience is over or it ends.
  std::string ReadLine();
  void Signal(int number) const;
  void Kill();
  // Its exit code; 128 and the signal's number when a signal ended it. Fails the test and kills it
  // when it does not end.
  int Wait();

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;
  UniqueFd output_;
};

}  // namespace packice
