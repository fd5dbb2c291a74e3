// How what happens on any thread comes to the engine's thread.
#pragma once

#include <functional>

#include "absl/functional/any_invocable.h"
#include "packice/core/peer.h"

namespace packice {

// Runs the task on the engine's thread, later, in order; drops it once that thread has stopped.
using Post = std::function<void(absl::AnyInvocable<void()>)>;

// A callback for any thread, which runs `done` on the engine's.
template <typename T>
Done<T> OnEngineThread(const Post& post, Done<T> done) {
  return [post, done = std::move(done)](T answer) mutable {
    post([done = std::move(done), answer = std::move(answer)]() mutable {
      std::move(done)(std::move(answer));
    });
  };
}

}  // namespace packice
