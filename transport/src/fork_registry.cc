#include "fork_registry.h"

#include <pthread.h>
#include <unistd.h>

#include <map>
#include <set>

#include "packice/core/mutex.h"

namespace packice {
namespace {

class ForkRegistry {
 public:
  static ForkRegistry& Get() {
    static ForkRegistry& registry = *new ForkRegistry;
    return registry;
  }

  void AddSocket(int fd) {
    MutexLock lock(mutex_);
    sockets_.insert(fd);
  }
  void RemoveSocket(int fd) {
    MutexLock lock(mutex_);
    sockets_.erase(fd);
  }
  void AddHook(void* object, void (*in_child)(void*)) {
    MutexLock lock(mutex_);
    hooks_.emplace(object, in_child);
  }
  void RemoveHook(void* object) {
    MutexLock lock(mutex_);
    hooks_.erase(object);
  }

 private:
  ForkRegistry() {
    pthread_atfork([] { Get().Lock(); }, [] { Get().Unlock(); }, [] { Get().InChild(); });
  }
  // Around fork(2): three functions that hold one lock between them, beyond what the analysis can
  // see.
  void Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
  void InChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const int fd : sockets_) close(fd);
    sockets_.clear();
    for (const auto& [object, in_child] : hooks_) in_child(object);
    mutex_.Unlock();
  }

  Mutex mutex_;
  std::set<int> sockets_ ABSL_GUARDED_BY(mutex_);
  std::map<void*, void (*)(void*)> hooks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void AddSocketOfThisProcess(int fd) { ForkRegistry::Get().AddSocket(fd); }
void RemoveSocketOfThisProcess(int fd) { ForkRegistry::Get().RemoveSocket(fd); }
void AddForkHook(void* object, void (*in_child)(void* object)) {
  ForkRegistry::Get().AddHook(object, in_child);
}
void RemoveForkHook(void* object) { ForkRegistry::Get().RemoveHook(object); }

}  // namespace packice
