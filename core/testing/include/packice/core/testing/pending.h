// The answer to one asynchronous call of a Peer, whenever it comes. Thread-safe.
//
//   Pending<absl::StatusOr<Grant>> reader;
//   peer.Acquire(request, reader.Callback());
//   EXPECT_FALSE(reader.IsDone());
//   ...
//   EXPECT_THAT(reader.Wait(), IsOk());
#pragma once

#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "packice/core/latch.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"

namespace packice {

template <typename T>
class Pending {
 public:
  // To be handed to one call. May run later than this Pending lives.
  Done<T> Callback() {
    return [state = state_](T answer) {
      {
        MutexLock lock(state->mutex);
        ++state->calls;
        state->answer.emplace(std::move(answer));
      }
      state->latch.Set();
    };
  }

  bool IsDone() const { return state_->latch.IsSet(); }

  // How often the callback ran: 1 once it is done, whatever happens afterwards.
  int calls() const {
    MutexLock lock(state_->mutex);
    return state_->calls;
  }

  // The answer; blocks until it is there.
  T Wait() const {
    state_->latch.Wait();
    MutexLock lock(state_->mutex);
    return *state_->answer;
  }

 private:
  struct State {
    Latch latch;
    Mutex mutex;
    int calls ABSL_GUARDED_BY(mutex) = 0;
    absl::optional<T> answer ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace packice
