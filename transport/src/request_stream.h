// From the bytes that a client sends to its requests: a line each, and behind some of them raw
// bytes. Takes them in pieces of any size. Owned by one connection; thread-compatible.
//
// No byte that follows a put is ever taken for a request, whatever is wrong with its line: they are
// skipped where their number can be told, and nothing is read any more where it cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "line_buffer.h"
#include "packice/transport/codec.h"

namespace packice {

class RequestStream {
 public:
  // Where the next bytes go. What Next has answered becomes invalid.
  absl::Span<char> Room();
  void Filled(size_t bytes) { lines_.Filled(bytes); }

  // The next request whose bytes are all here, or why it is none. The bytes of a put point into
  // this stream and are valid until Room is called.
  absl::optional<DecodedRequest> Next(absl::Span<const std::string> more_ops);

  // Where the next request begins cannot be told: there will be none.
  bool lost() const { return lost_; }

 private:
  DecodedRequest TooLong(absl::string_view line);
  absl::optional<DecodedRequest> Unfinished();

  LineBuffer lines_;
  absl::optional<DecodedRequest> waiting_;  // for the bytes behind its line
  uint64_t dropping_ = 0;                   // of those behind a line that was refused
  bool skipping_ = false;                   // in a line that is too long, up to its end
  bool had_payload_ = false;
  bool lost_ = false;
};

}  // namespace packice
