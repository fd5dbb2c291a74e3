// So many of something that a process has only so many of. Whoever has a share of it gives it back
// when the share goes. Copies are of one and the same budget. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace packice {

class Budget {
 public:
  explicit Budget(size_t most) : left_(std::make_shared<std::atomic<size_t>>(most)), most_(most) {}

  class Share {
   public:
    Share() = default;
    explicit Share(std::shared_ptr<std::atomic<size_t>> of) : of_(std::move(of)) {}
    Share(Share&& other) noexcept = default;
    Share& operator=(Share&& other) noexcept {
      std::swap(of_, other.of_);
      return *this;
    }
    ~Share() {
      if (of_ != nullptr) of_->fetch_add(1, std::memory_order_relaxed);
    }
    explicit operator bool() const { return of_ != nullptr; }

   private:
    std::shared_ptr<std::atomic<size_t>> of_;
  };

  // An empty one when none is left.
  Share Take() {
    size_t left = left_->load(std::memory_order_relaxed);
    do {
      if (left == 0) return Share();
    } while (!left_->compare_exchange_weak(left, left - 1, std::memory_order_relaxed));
    return Share(left_);
  }

  size_t most() const { return most_; }
  size_t taken() const { return most_ - left_->load(std::memory_order_relaxed); }

 private:
  const std::shared_ptr<std::atomic<size_t>> left_;
  const size_t most_;
};

}  // namespace packice
