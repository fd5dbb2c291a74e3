// A std::ostream that appends through a function, with a buffer between.
#pragma once

#include <array>
#include <functional>
#include <ostream>
#include <streambuf>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace packice::sdk {

class AppendBuffer final : public std::streambuf {
 public:
  using Append = std::function<absl::Status(absl::string_view)>;

  explicit AppendBuffer(Append append);

  // Passes on what is buffered. After a failure nothing more is passed on, and this answers that
  // failure.
  absl::Status Flush();

 protected:
  int_type overflow(int_type c) override;
  int sync() override;
  std::streamsize xsputn(const char* data, std::streamsize size) override;

 private:
  const Append append_;
  absl::Status status_;
  // A write costs a system call, and from here on hardly more than its bytes do.
  std::array<char, 64 * 1024> buffer_;
};

class AppendStream final : public std::ostream {
 public:
  explicit AppendStream(AppendBuffer::Append append);

  absl::Status Flush();

 private:
  AppendBuffer buffer_;
};

}  // namespace packice::sdk
