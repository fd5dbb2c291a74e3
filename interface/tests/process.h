// Runs the real `packice` in processes of their own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "temp_dir.h"

namespace packice {

struct Outcome {
  int exit_code = -1;  // 128 + the signal's number where one ended it
  std::string out;
  std::string err;
};

// A process whose output is kept. Killed with its owner.
class Process {
 public:
  // `arguments` without the program's name. `environment` is added to this process's own, without
  // any PACKICE_ variable of it. `name` is what the program is called by.
  explicit Process(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {}, const std::string& input = "",
                   const std::string& name = "packice");
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Blocks for the first line of its output; empty when it ended without one.
  std::string FirstLine();
  void Signal(int number);
  // Blocks until it ends.
  Outcome Wait();

 private:
  void ReadMore();

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  Outcome outcome_;
};

inline Outcome RunPackice(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {},
                          const std::string& input = "") {
  return Process(arguments, environment, input).Wait();
}

// A node with flags of the test's own; answers once it is ready, or has failed to be.
class StartedNode {
 public:
  explicit StartedNode(const std::vector<std::string>& flags,
                       const std::vector<std::string>& environment = {},
                       const std::string& name = "packice");

  const std::string& ready_line() const { return ready_line_; }
  // Of the ready line, the n-th: "http://127.0.0.1:40001".
  std::string Address(size_t n = 0) const;
  Process& process() { return process_; }
  // Asks it to drain; answers what it left.
  Outcome Stop();

  Outcome Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    return RunPackice(arguments, {"PACKICE_TARGET=" + Address()}, input);
  }

 private:
  Process process_;
  std::string ready_line_;
};

// `packice serve` on a socket in a directory of its own, and commands that talk to it.
class ServedNode {
 public:
  explicit ServedNode(const std::vector<std::string>& flags = {});

  const std::string& socket() const { return socket_; }
  const std::string& ready_line() const { return ready_line_; }
  Process& process() { return process_; }

  Outcome Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    return RunPackice(arguments, {"PACKICE_TARGET=unix:" + socket_}, input);
  }

 private:
  TempDir dir_;
  const std::string socket_ = dir_ / "node.sock";
  Process process_;
  std::string ready_line_;
};

}  // namespace packice
