// Passes lines for an operator on, at most one a second for each topic. Owned by a server;
// thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice {

class LogLimiter {
 public:
  using Sink = std::function<void(absl::string_view)>;

  explicit LogLimiter(Sink sink) : sink_(std::move(sink)) {}

  void Log(const char* topic, absl::string_view message) {
    {
      MutexLock lock(mutex_);
      const Instant now = Clock::System().Now();
      auto [last, first] = logged_.try_emplace(topic, now);
      if (!first && now - last->second < absl::Seconds(1)) return;
      last->second = now;
    }
    sink_(message);
  }

 private:
  const Sink sink_;
  Mutex mutex_;
  std::map<std::string, Instant> logged_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
