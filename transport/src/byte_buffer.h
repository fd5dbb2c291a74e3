// Bytes that came in and were not read yet. Owned by one connection; thread-compatible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace packice {

class ByteBuffer {
 public:
  absl::string_view bytes() const { return absl::string_view(data_.get() + begin_, end_ - begin_); }
  bool empty() const { return begin_ == end_; }

  // Takes bytes off the front. They stay where they are until Room is called.
  void Consume(size_t n) { begin_ += n; }

  // Where the next bytes go: at least `least`, and more where it costs nothing.
  absl::Span<char> Room(size_t least) {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (capacity_ > kMaxIdle && least <= kMaxIdle) capacity_ = 0;
    }
    if (capacity_ - end_ < least) Grow(least);
    return absl::MakeSpan(data_.get() + end_, capacity_ - end_);
  }
  // The same without moving a byte, also none that was consumed; may be empty.
  absl::Span<char> FreeRoom() { return absl::MakeSpan(data_.get() + end_, capacity_ - end_); }
  void Filled(size_t n) { end_ += n; }

  void Clear() { begin_ = end_ = 0; }
  void Append(absl::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Room(bytes.size()).data(), bytes.data(), bytes.size());
    Filled(bytes.size());
  }

 private:
  void Grow(size_t least) {
    const size_t kept = end_ - begin_;
    // Not zeroed: what is not filled is not read.
    const size_t capacity = std::max(kept + least, capacity_);
    std::unique_ptr<char[]> data(new char[capacity]);
    if (kept > 0) std::memcpy(data.get(), data_.get() + begin_, kept);
    data_ = std::move(data);
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
  }

  // What a connection with nothing to say may keep.
  static constexpr size_t kMaxIdle = 128 * 1024;

  std::unique_ptr<char[]> data_ = std::unique_ptr<char[]>(new char[0]);
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace packice
