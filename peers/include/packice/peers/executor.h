// Where what blocks on a medium runs, so that it holds up none of a peer's callers. A peer whose
// medium answers at once has none, and runs everything on its callers' threads.
//
// Thread-safe.
#pragma once

#include "absl/functional/any_invocable.h"

namespace packice {

class Executor {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~Executor() = default;

  // Runs `task` exactly once, later, on a thread of its own. Does not block. Tasks are begun in the
  // order in which they come, may run at the same time, and never wait for one that has not begun.
  virtual void Run(Task task) = 0;

  // Blocks until every task has run, those that tasks hand over meanwhile among them. Not to be
  // called by a task.
  virtual void AwaitIdle() = 0;
};

}  // namespace packice
