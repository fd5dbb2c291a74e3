// Bytes that came in, and the lines in them, and what may follow a line. Owned by one connection;
// thread-compatible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace packice {

class LineBuffer {
 public:
  // Where the next bytes go: at least `bytes` of room. Lines that were taken become invalid.
  absl::Span<char> Room(size_t bytes) {
    if (begin_ == end_) {
      begin_ = scanned_ = end_ = 0;
      if (capacity_ > kMaxIdle) capacity_ = 0;  // after a long line; Grow makes a small one
    }
    if (capacity_ - end_ < bytes) Grow(bytes);
    return absl::MakeSpan(data_.get() + end_, capacity_ - end_);
  }
  void Filled(size_t bytes) { end_ += bytes; }

  // The next whole line without its newline. Valid until Room is called.
  absl::optional<absl::string_view> NextLine() {
    const void* newline = std::memchr(data_.get() + scanned_, '\n', end_ - scanned_);
    if (newline == nullptr) {
      scanned_ = end_;
      return absl::nullopt;
    }
    const size_t at = static_cast<size_t>(static_cast<const char*>(newline) - data_.get());
    const absl::string_view line(data_.get() + begin_, at - begin_);
    begin_ = scanned_ = at + 1;
    return line;
  }

  // The next `bytes` bytes, whatever they are, once they are all there. Valid as a line is.
  absl::optional<absl::string_view> NextBytes(size_t bytes) {
    if (end_ - begin_ < bytes) return absl::nullopt;
    const absl::string_view taken(data_.get() + begin_, bytes);
    begin_ = scanned_ = begin_ + bytes;
    return taken;
  }
  // Throws away the next bytes, at most so many. How many that were.
  size_t Drop(uint64_t bytes) {
    const size_t dropped = static_cast<size_t>(std::min<uint64_t>(bytes, end_ - begin_));
    begin_ = scanned_ = begin_ + dropped;
    return dropped;
  }

  // Bytes that were not taken: behind the last whole line, once NextLine has found no more.
  size_t unfinished() const { return end_ - begin_; }
  absl::string_view unfinished_text() const {
    return absl::string_view(data_.get() + begin_, unfinished());
  }

 private:
  // Makes room behind the bytes that were not taken, where there is enough in front of them.
  void Grow(size_t bytes) {
    const size_t kept = end_ - begin_;
    if (kept + bytes <= capacity_) {
      std::memmove(data_.get(), data_.get() + begin_, kept);
    } else {
      // Not zeroed: what is not filled is not read.
      std::unique_ptr<char[]> data(new char[kept + bytes]);
      if (kept > 0) std::memcpy(data.get(), data_.get() + begin_, kept);
      data_ = std::move(data);
      capacity_ = kept + bytes;
    }
    scanned_ -= begin_;
    begin_ = 0;
    end_ = kept;
  }

  // What a connection with nothing to say may keep.
  static constexpr size_t kMaxIdle = 128 * 1024;

  std::unique_ptr<char[]> data_ = std::unique_ptr<char[]>(new char[0]);
  size_t capacity_ = 0;
  size_t begin_ = 0;    // of the first line that was not taken
  size_t scanned_ = 0;  // no newline in [begin_, scanned_)
  size_t end_ = 0;
};

}  // namespace packice
