// An Executor whose tasks run when the test says so, on its thread: what is under way when is then
// no matter of chance. For one thread.
#pragma once

#include <deque>
#include <utility>

#include "packice/peers/executor.h"

namespace packice {

class StepExecutor final : public Executor {
 public:
  void Run(Task task) override { tasks_.push_back(std::move(task)); }
  void AwaitIdle() override { RunAll(); }

  // The oldest task. False when there is none.
  bool RunOne() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    std::move(task)();
    return true;
  }
  // Those that tasks hand over meanwhile, too.
  void RunAll() {
    while (RunOne()) {
    }
  }
  size_t waiting() const { return tasks_.size(); }

 private:
  std::deque<Task> tasks_;
};

}  // namespace packice
