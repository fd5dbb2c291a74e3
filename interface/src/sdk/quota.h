// A bound on how many of something a client holds at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice::sdk {

// Thread-safe. Outlives the shares taken from it.
class Quota {
 public:
  // Some of the quota, given back when this goes. Move-only; thread-compatible.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : quota_(std::exchange(other.quota_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(quota_, other.quota_);
      std::swap(count_, other.count_);
      return *this;
    }
    ~Share() {
      if (quota_ != nullptr) quota_->used_.fetch_sub(count_, std::memory_order_relaxed);
    }

    size_t count() const { return count_; }

   private:
    friend class Quota;
    Share(Quota* quota, size_t count) : quota_(quota), count_(count) {}

    Quota* quota_ = nullptr;
    size_t count_ = 0;
  };

  // `what` is counted, e.g. "open descriptors", and `option` says how many there may be; both for
  // messages.
  Quota(size_t limit, absl::string_view what, absl::string_view option)
      : limit_(limit), what_(what), option_(option) {}

  // `capacity` when fewer than `count` are left.
  absl::StatusOr<Share> Take(size_t count);

  size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const size_t limit_;
  const absl::string_view what_;
  const absl::string_view option_;
  std::atomic<size_t> used_{0};
};

}  // namespace packice::sdk
