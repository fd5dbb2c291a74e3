#include "sdk/snapshot_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>

namespace packice::sdk {

SnapshotKeeper::~SnapshotKeeper() {
  std::thread watcher;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    watcher = std::move(watcher_);
  }
  if (watcher.joinable()) {
    Wake();
    watcher.join();
  }
  delete current_.load(std::memory_order_relaxed);
}

bool SnapshotKeeper::Replace(std::unique_ptr<IndexSnapshot> next) {
  MutexLock lock(mutex_);
  if (next == nullptr && current_.load(std::memory_order_relaxed) == nullptr) return true;
  if (!watcher_.joinable() && !StartWatcher()) return false;
  Exchange(std::move(next));
  Wake();
  return true;
}

bool SnapshotKeeper::StartWatcher() {
  if (!wake_) wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return false;
  try {
    watcher_ = std::thread([this] { Watch(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void SnapshotKeeper::Exchange(std::unique_ptr<IndexSnapshot> next) {
  std::unique_ptr<IndexSnapshot> old(current_.exchange(next.release(), std::memory_order_seq_cst));
  if (old != nullptr) replaced_.push_back(std::move(old));
}

void SnapshotKeeper::Abandon() {
  // Its own copy of the descriptor; that of the connection was closed at the fork.
  wake_.Reset();
  if (IndexSnapshot* snapshot = current_.load(std::memory_order_relaxed)) snapshot->Abandon();
}

void SnapshotKeeper::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof(one));
}

void SnapshotKeeper::Watch() {
  std::vector<std::unique_ptr<IndexSnapshot>> replaced;
  std::shared_ptr<const NodeConnection> connection;
  while (Next(replaced, connection)) {
    if (!replaced.empty()) {
      readers_.AwaitReaders();
      replaced.clear();
    }
    pollfd polled[2] = {{wake_.get(), POLLIN, 0},
                        {connection != nullptr ? connection->socket.get() : -1, POLLRDHUP, 0}};
    poll(polled, 2, -1);
    uint64_t count = 0;
    if (polled[0].revents != 0) (void)!read(wake_.get(), &count, sizeof(count));
    if (polled[1].revents != 0) HungUp(connection);
  }
}

bool SnapshotKeeper::Next(std::vector<std::unique_ptr<IndexSnapshot>>& replaced,
                          std::shared_ptr<const NodeConnection>& connection) {
  MutexLock lock(mutex_);
  replaced.swap(replaced_);
  const IndexSnapshot* const current = current_.load(std::memory_order_relaxed);
  connection = current != nullptr ? current->connection() : nullptr;
  return !ended_;
}

void SnapshotKeeper::HungUp(const std::shared_ptr<const NodeConnection>& connection) {
  MutexLock lock(mutex_);
  const IndexSnapshot* const current = current_.load(std::memory_order_relaxed);
  if (current != nullptr && current->connection() == connection) Exchange(nullptr);
}

}  // namespace packice::sdk
