#include "timer_thread.h"

#include <algorithm>

namespace packice {

TimerThread::TimerThread(const Clock& clock) : clock_(clock), thread_([this] { Work(); }) {}

TimerThread::~TimerThread() { Stop(); }

TimerThread::Timer TimerThread::RunAt(Instant when, absl::AnyInvocable<void() &&> callback) {
  MutexLock lock(mutex_);
  const Timer timer(when, next_++);
  if (stopping_) return timer;
  due_.emplace(timer, std::move(callback));
  if (due_.begin()->first == timer) changed_.NotifyOne();
  return timer;
}

void TimerThread::Cancel(const Timer& timer) {
  absl::AnyInvocable<void() &&> dropped;  // without the lock
  MutexLock lock(mutex_);
  const auto it = due_.find(timer);
  if (it == due_.end()) return;
  dropped = std::move(it->second);
  due_.erase(it);
}

void TimerThread::Nudge() {
  MutexLock lock(mutex_);
  changed_.NotifyOne();
}

void TimerThread::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void TimerThread::Work() {
  while (true) {
    absl::AnyInvocable<void() &&> callback;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && (due_.empty() || due_.begin()->first.first > clock_.Now())) {
        if (due_.empty()) {
          changed_.Wait(mutex_);
        } else {
          // At least a moment, so that a clock that stands still is no busy loop.
          changed_.WaitFor(
              mutex_, std::max(due_.begin()->first.first - clock_.Now(), absl::Milliseconds(1)));
        }
      }
      if (stopping_) return;
      callback = std::move(due_.begin()->second);
      due_.erase(due_.begin());
    }
    std::move(callback)();
  }
}

}  // namespace packice
