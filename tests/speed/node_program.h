// The program as users run it, `packice serve` with objects in memory, in a process of its own. It
// ends with its owner, and with this process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace packice {

class NodeProgram {
 public:
  // Answers requests by the time this returns; pinned to `cpu` (-1: not pinned). `packice` is the
  // binary, `socket` where it listens, `capacity` bytes, `flags` more of them. Aborts when it
  // cannot be started.
  NodeProgram(const std::string& packice, const std::string& socket, int cpu, uint64_t capacity,
              std::vector<std::string> flags = {});
  ~NodeProgram();
  NodeProgram(const NodeProgram&) = delete;
  NodeProgram& operator=(const NodeProgram&) = delete;

  const std::string& socket() const { return socket_; }
  pid_t pid() const { return child_; }

  struct Memory {
    uint64_t own = 0;          // bytes of its own (RssAnon), and of its page tables
    uint64_t shared = 0;       // bytes of memory files that it holds open, each counted once
    uint64_t descriptors = 0;  // open
  };
  Memory memory() const;

 private:
  const std::string socket_;
  pid_t child_ = -1;
};

}  // namespace packice
