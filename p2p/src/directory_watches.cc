#include "directory_watches.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"

namespace packice {

class DirectoryWatches::Watcher {
 public:
  Watcher(std::string prefix, Directory::OnChange on_change)
      : prefix_(std::move(prefix)), on_change_(std::move(on_change)) {}

  const std::string& prefix() const { return prefix_; }
  bool Wants(const ObjectId& id) const { return absl::StartsWith(id.bytes(), prefix_); }

  void Tell(const DirectoryChange& change) {
    {
      MutexLock lock(mutex_);
      while (running_ != std::thread::id()) idle_.Wait(mutex_);
      if (ended_) return;
      running_ = std::this_thread::get_id();
    }
    on_change_(change);
    Directory::OnChange dropped;  // without the lock: what it holds may come back here
    {
      MutexLock lock(mutex_);
      running_ = std::thread::id();
      if (ended_) dropped = std::move(on_change_);
      idle_.NotifyAll();
    }
  }

  // No callback runs when it returns, unless it is called from one.
  void End() {
    Directory::OnChange dropped;
    {
      MutexLock lock(mutex_);
      ended_ = true;
      const auto self = std::this_thread::get_id();
      while (running_ != std::thread::id() && running_ != self) idle_.Wait(mutex_);
      if (running_ != self) dropped = std::move(on_change_);
    }
  }

 private:
  const std::string prefix_;
  Directory::OnChange on_change_;  // run by one thread at a time
  Mutex mutex_;
  CondVar idle_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id running_ ABSL_GUARDED_BY(mutex_);
};

class DirectoryWatches::Handle final : public Directory::Watch {
 public:
  explicit Handle(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  ~Handle() override { watcher_->End(); }

 private:
  const std::shared_ptr<Watcher> watcher_;
};

std::unique_ptr<Directory::Watch> DirectoryWatches::Add(const std::string& prefix,
                                                        Directory::OnChange on_change) {
  auto watcher = std::make_shared<Watcher>(prefix, std::move(on_change));
  MutexLock lock(mutex_);
  watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                 [](const auto& each) { return each.expired(); }),
                  watchers_.end());
  watchers_.push_back(watcher);
  return std::make_unique<Handle>(std::move(watcher));
}

bool DirectoryWatches::Wants(const ObjectId& object_id) const {
  MutexLock lock(mutex_);
  return absl::c_any_of(watchers_, [&](const auto& each) {
    const std::shared_ptr<Watcher> watcher = each.lock();
    return watcher != nullptr && watcher->Wants(object_id);
  });
}

std::vector<ObjectId> DirectoryWatches::Ids() const {
  std::vector<ObjectId> ids;
  MutexLock lock(mutex_);
  for (const auto& each : watchers_) {
    const std::shared_ptr<Watcher> watcher = each.lock();
    if (watcher == nullptr) continue;
    if (auto id = ObjectId::Parse(watcher->prefix()); id.ok()) ids.push_back(*std::move(id));
  }
  return ids;
}

void DirectoryWatches::Tell(const DirectoryChange& change) {
  std::vector<std::shared_ptr<Watcher>> wanting;
  {
    MutexLock lock(mutex_);
    for (const auto& each : watchers_) {
      std::shared_ptr<Watcher> watcher = each.lock();
      if (watcher != nullptr && watcher->Wants(change.object_id)) {
        wanting.push_back(std::move(watcher));
      }
    }
  }
  for (const auto& watcher : wanting) watcher->Tell(change);
}

}  // namespace packice
