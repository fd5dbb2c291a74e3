// What a node would cost if it were nothing but its system calls: the yardstick of the speed
// figures.
//
// A process of its own that answers one-letter requests over a Unix socket, without a parser, a
// table or an event loop. Knows one object at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "packice/core/unique_fd.h"

namespace packice {

class BareNode {
 public:
  // Forks the process, pinned to `cpu` (-1: not pinned). It ends when this does.
  explicit BareNode(int cpu);
  ~BareNode();

  // A round trip that answers with the sealed object's descriptor, as an acquire does.
  UniqueFd Get();
  // A round trip without one.
  void Ping();
  // A message whose answer is read with the next one's, as a release that nobody waits for is.
  void Notify();
  // A round trip that makes a memfd of `size` bytes, kept to its size by seals, and answers its
  // descriptor.
  UniqueFd Create(uint64_t size);
  // A round trip that adds the write seal to what Create made, and one object fewer.
  void SealAndForget();

 private:
  void Ask(char what, uint64_t size);
  // Reads the answers that are owed, the last of them with a descriptor if `descriptor` is not
  // null.
  void Hear(UniqueFd* descriptor);

  pid_t child_ = -1;
  UniqueFd socket_;
  int owed_ = 0;
};

}  // namespace packice
