#include "sdk/named_peers.h"

#include <pthread.h>

#include <string>

#include "absl/container/flat_hash_map.h"
#include "packice/core/mutex.h"
#include "packice/peers/memory_peer.h"
#include "sdk/fork_generation.h"

namespace packice::sdk {
namespace {

class Registry {
 public:
  static Registry& Get() {
    static Registry* const registry = new Registry();
    return *registry;
  }

  std::shared_ptr<Peer> Find(absl::string_view name) {
    MutexLock lock(mutex_);
    if (generation_ != ForkGeneration()) {
      peers_.clear();
      generation_ = ForkGeneration();
    }
    std::weak_ptr<Peer>& entry = peers_[name];
    std::shared_ptr<Peer> peer = entry.lock();
    if (peer == nullptr) {
      peer = MakeMemoryPeer();
      entry = peer;
    }
    return peer;
  }

 private:
  // A fork waits for the lock, lest the child find it taken for ever.
  Registry() { pthread_atfork(&Lock, &Unlock, &Unlock); }
  static void Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { Get().mutex_.Lock(); }
  static void Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { Get().mutex_.Unlock(); }

  Mutex mutex_;
  absl::flat_hash_map<std::string, std::weak_ptr<Peer>> peers_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = ForkGeneration();
};

}  // namespace

std::shared_ptr<Peer> NamedMemoryPeer(absl::string_view name) { return Registry::Get().Find(name); }

}  // namespace packice::sdk
