#include "medium_threads.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace packice {

MediumThreads::MediumThreads(std::string name, size_t threads)
    : name_(std::move(name)), most_(std::max<size_t>(threads, 1)) {}

MediumThreads::~MediumThreads() {
  AwaitIdle();
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stop_ = true;
    work_.NotifyAll();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void MediumThreads::Run(Task task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  if (idle_ >= tasks_.size()) return work_.NotifyOne();
  if (threads_.size() >= most_) return;
  threads_.emplace_back([this, number = threads_.size()] {
    pthread_setname_np(pthread_self(), absl::StrCat(name_, "-", number).c_str());
    Work();
  });
}

void MediumThreads::Work() {
  MutexLock lock(mutex_);
  while (true) {
    while (tasks_.empty() && !stop_) {
      ++idle_;
      work_.Wait(mutex_);
      --idle_;
    }
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    ++running_;
    mutex_.Unlock();
    std::move(task)();
    task = nullptr;  // what it holds goes without the lock, too
    mutex_.Lock();
    --running_;
    if (tasks_.empty() && running_ == 0) quiet_.NotifyAll();
  }
}

void MediumThreads::AwaitIdle() {
  MutexLock lock(mutex_);
  while (!tasks_.empty() || running_ > 0) quiet_.Wait(mutex_);
}

size_t MediumThreads::threads() const {
  MutexLock lock(mutex_);
  return threads_.size();
}

}  // namespace packice
