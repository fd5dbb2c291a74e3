// Brings many objects of a swarm to this node, a few at a time. Keeps itself alive until it has
// answered; thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/swarm_view.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice::cli {

class PrefetchJob : public std::enable_shared_from_this<PrefetchJob> {
 public:
  struct Outcome {
    size_t objects = 0;  // that were asked for
    size_t fetched = 0;  // of these, are here
    std::vector<std::pair<ObjectId, absl::Status>> failures;
  };
  using Answered = Done<absl::StatusOr<Outcome>>;

  // The view outlives the job, or Stop was called before it goes.
  PrefetchJob(SwarmView& view, OperationId operation, Instant deadline, Answered done)
      : view_(view), operation_(operation), deadline_(deadline), done_(std::move(done)) {}

  // One of these, once.
  void Fetch(std::vector<ObjectId> ids);
  void FetchPrefix(const std::string& prefix);

  // Begins no more; answers when what is under way has ended.
  void Stop();

  OperationId operation() const { return operation_; }

 private:
  void ListAfter(const std::string& prefix, const std::string& after);
  void Listed(const std::string& prefix, absl::StatusOr<std::vector<ObjectId>> page);
  void Start();
  void Ended(size_t index, absl::Status status);

  SwarmView& view_;
  const OperationId operation_;
  const Instant deadline_;
  Mutex mutex_;
  Answered done_ ABSL_GUARDED_BY(mutex_);
  std::vector<ObjectId> ids_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;  // a thread is in Start
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Outcome outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice::cli
