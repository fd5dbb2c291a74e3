// The threads of a server, each with an event loop of its own and the connections that belong to
// it. A connection lives on one worker for life, so that it needs no lock.
//
// Owned by one server; thread-safe unless it says otherwise. `Connection` is shared_ptr-owned and
// has Start and Close, both called on its worker's thread; it tells its end by calling Remove.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cpu_pause.h"
#include "packice/core/clock.h"
#include "packice/core/latch.h"
#include "packice/core/mutex.h"
#include "sigpipe.h"

namespace packice {

template <typename Connection>
class WorkerPool {
 public:
  struct Worker {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work =
        boost::asio::make_work_guard(context);
    // These two are touched on the worker's thread.
    std::set<std::shared_ptr<Connection>> connections;
    uint64_t requests = 0;  // come and answered late; what else happens is no reason to poll
    std::atomic<size_t> load{0};
    std::thread thread;
  };

  // A thread goes on polling for `busy_poll` after its last request, before it sleeps.
  explicit WorkerPool(size_t threads, absl::Duration busy_poll = absl::ZeroDuration())
      : busy_poll_(busy_poll) {
    for (size_t i = 0; i < std::max<size_t>(1, threads); ++i) {
      workers_.push_back(std::make_unique<Worker>());
    }
  }
  // Stop has been called, or Run never was.
  ~WorkerPool() = default;

  void Run() {
    for (auto& worker : workers_) {
      worker->thread = std::thread([this, worker = worker.get()] {
        BlockSigpipe();
        if (busy_poll_ > absl::ZeroDuration()) {
          RunPolling(*worker);
        } else {
          worker->context.run();
        }
      });
    }
  }

  // Closes every connection and waits for the last one to come to its end, also for answers of a
  // peer that are on their way; then ends the threads. Nothing may be added any more.
  void Stop() {
    if (!workers_[0]->thread.joinable()) return;
    OnEach([](Connection& connection) { connection.Close(); });
    WaitUntilNone();
    for (auto& worker : workers_) worker->context.stop();
    for (auto& worker : workers_) worker->thread.join();
  }

  // The first one's loop is where a server accepts.
  Worker& first() { return *workers_[0]; }
  const std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }

  Worker& LeastLoaded() {
    Worker* best = workers_[0].get();
    for (auto& worker : workers_) {
      if (worker->load < best->load) best = worker.get();
    }
    return *best;
  }

  void Add(Worker& worker, std::shared_ptr<Connection> connection) {
    ++size_;
    ++worker.load;
    boost::asio::post(worker.context, [&worker, connection = std::move(connection)] {
      worker.connections.insert(connection);
      connection->Start();
    });
  }

  // A connection is served no more and only waits for its client to go: nobody has to wait for it.
  void Lingers() {
    MutexLock lock(mutex_);
    ++lingering_;
    fewer_.NotifyAll();
  }

  // On the worker's thread. `lingered`: Lingers was called for it.
  void Remove(Worker& worker, Connection* connection, bool lingered = false) {
    worker.connections.erase(connection->shared_from_this());
    --worker.load;
    MutexLock lock(mutex_);
    if (lingered) --lingering_;
    --size_;
    fewer_.NotifyAll();
  }

  uint64_t size() const { return size_; }

  // Runs on each worker's thread for all of its connections. Blocks until every worker has done it.
  void OnEach(std::function<void(Connection&)> action) {
    for (auto& worker : workers_) {
      Latch done;
      boost::asio::post(worker->context, [worker = worker.get(), &action, &done] {
        const auto connections = worker->connections;
        for (const auto& connection : connections) action(*connection);
        done.Set();
      });
      done.Wait();
    }
  }

  // Blocks until no connection is served any more, at most `patience`.
  void WaitUntilServed(absl::Duration patience) {
    const Instant deadline = Clock::System().Now() + patience;
    MutexLock lock(mutex_);
    while (size_ > lingering_) {
      const absl::Duration left = deadline - Clock::System().Now();
      if (left <= absl::ZeroDuration()) return;
      fewer_.WaitFor(mutex_, std::min(left, absl::Hours(1)));
    }
  }

 private:
  void WaitUntilNone() {
    MutexLock lock(mutex_);
    while (size_ > 0) fewer_.Wait(mutex_);
  }

  void RunPolling(Worker& worker) {
    uint64_t seen = 0;
    Instant until = absl::ZeroDuration();
    while (worker.context.run_one() > 0) {
      do {
        worker.context.poll();
        const Instant now = Clock::System().Now();
        if (worker.requests != seen) {
          seen = worker.requests;
          until = now + busy_poll_;
        }
        if (now >= until) break;
        CpuPause();
      } while (!worker.context.stopped());
    }
  }

  const absl::Duration busy_poll_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<uint64_t> size_{0};
  Mutex mutex_;
  uint64_t lingering_ ABSL_GUARDED_BY(mutex_) = 0;  // of `size_`
  CondVar fewer_;
};

}  // namespace packice
