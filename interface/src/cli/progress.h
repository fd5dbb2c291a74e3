// A line on stderr that tells how far a long transfer is.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice::cli {

// One line of text, as wide as `width` columns at most.
std::string FormatProgress(absl::string_view label, uint64_t done, absl::optional<uint64_t> total,
                           absl::Duration elapsed, size_t width);

// The same with what stands behind the bytes given: "LABEL  42% [==  ] 1 KiB of 2 KiB", then
// `tail`.
std::string FormatBar(absl::string_view label, uint64_t done, absl::optional<uint64_t> total,
                      absl::string_view tail, size_t width);

// Columns of the terminal that stderr is; 80 where that cannot be told.
size_t TerminalWidth();

// Shows nothing where stderr is no terminal, or for a transfer that is over in a moment.
// Thread-safe.
class Progress {
 public:
  // `total` in bytes, where it is known.
  Progress(absl::string_view label, absl::optional<uint64_t> total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(uint64_t bytes);

 private:
  void Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string label_;
  const absl::optional<uint64_t> total_;
  const bool terminal_;
  const Instant start_;
  std::atomic<uint64_t> done_{0};
  Mutex mutex_;
  Instant next_ ABSL_GUARDED_BY(mutex_);
  bool drawn_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace packice::cli
