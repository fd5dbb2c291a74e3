// What the parts of one engine share: the world it was given, its counters, and what is left to do
// when a call into it ends.
//
// Parts that end while they are on the stack, and answers to callers, wait until the call is over
// (CallScope): so nothing goes away under anybody's feet, and no caller is told of a state that is
// not settled yet.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "packice/p2p/transfer_engine.h"
#include "random_stream.h"
#include "token_bucket.h"

namespace packice {

struct EngineContext {
  EngineContext(TransferOptions transfer_options, TransferNetwork& a_network,
                LocalObjects& local_objects, Directory& a_directory, Origin* an_origin,
                const Clock& a_clock, uint64_t seed, EventSink& sink)
      : options(std::move(transfer_options)),
        network(a_network),
        objects(local_objects),
        directory(a_directory),
        origin(an_origin),
        clock(a_clock),
        events(sink),
        random(seed),
        down(options.down_limit, clock.Now()),
        up(options.up_limit, clock.Now()) {}

  Instant Now() const { return clock.Now(); }
  // Tick is due then, or before.
  void WakeBy(Instant at) { due = std::min(due, at); }
  // Runs `work` when the call into the engine ends.
  void Later(absl::AnyInvocable<void() &&> work) { later.push_back(std::move(work)); }

  const TransferOptions options;
  TransferNetwork& network;
  LocalObjects& objects;
  Directory& directory;
  Origin* const origin;
  const Clock& clock;
  EventSink& events;
  RandomStream random;
  TokenBucket down;
  TokenBucket up;
  TransferCounters counters;
  bool shutting_down = false;
  Instant due = absl::InfiniteDuration();
  int depth = 0;
  std::vector<absl::AnyInvocable<void() &&>> later;
};

// One for each call into the engine, answers to it among them.
class CallScope {
 public:
  explicit CallScope(std::shared_ptr<EngineContext> context) : context_(std::move(context)) {
    ++context_->depth;
  }
  ~CallScope() {
    while (context_->depth == 1 && !context_->later.empty()) {
      std::vector<absl::AnyInvocable<void()&&>> later = std::move(context_->later);
      context_->later.clear();
      for (auto& work : later) std::move(work)();
    }
    --context_->depth;
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const std::shared_ptr<EngineContext> context_;
};

}  // namespace packice
