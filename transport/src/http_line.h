// One keep-alive connection of a client to an HTTP node.
//
// Belongs to one coroutine at a time, on the io_context it was made with, whose one thread alone
// touches it. After a failure it is not reusable.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "http_wire.h"
#include "packice/core/clock.h"

namespace packice {

struct HttpQuestion {
  absl::string_view method = "GET";
  std::string target;
  std::string headers = {};     // more of them, each with its CRLF
  absl::string_view body = {};  // not copied
  absl::Span<char> into = {};   // where the bytes of a 206 go; its body must be as long
  // Bytes of any other body that is wanted; of an answer with a longer one only the head is read.
  absl::optional<uint64_t> max_body = {};
};

struct HttpAnswer {
  unsigned status = 0;
  absl::optional<uint64_t> content_length;
  std::string content_range;
  std::string accept_ranges;
  std::string etag;
  std::string last_modified;
  std::string location;
  std::string body;       // but of a 206 with `into`
  bool too_long = false;  // the body is longer than `max_body`
  uint64_t received = 0;  // bytes in `into`; counts up to where a failure broke it off
};

class HttpLine {
 public:
  HttpLine(boost::asio::io_context& context, std::shared_ptr<const HttpWire> wire);
  ~HttpLine();

  // Connects, and shakes hands for TLS. `unavailable`, `timeout`; `permission_denied` when the node
  // cannot prove to be who it is.
  boost::asio::awaitable<absl::Status> Open(absl::Duration timeout);

  // Asks, and reads the answer whatever its status is. `timeout` bounds the time until the answer
  // begins, and each pause in sending and receiving bytes. `unavailable`, `timeout`; `corrupt` for
  // what is no answer.
  boost::asio::awaitable<absl::Status> Ask(const HttpQuestion& question, absl::Duration timeout,
                                           HttpAnswer& answer);

  // Another question may be asked. False also where the node has closed it since the last one.
  bool reusable() const;
  // A byte of an answer to the last question has come.
  bool was_answered() const;
  // When the last answer came.
  Instant idle_since() const;

  // Breaks off what the coroutine waits for. The node learns at once that nobody does any more.
  void Abort();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace packice
