// Sends the calls of an HttpPeer to its node, or the questions of a WebPeer to its server, on a
// thread of its own, and hands the answers to who asked, on that thread.
//
// Thread-safe. Calls that may wait have a connection each; the others share a few. Order is kept
// where it matters: a call is sent only when all earlier ones that were marked as barriers have
// been answered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "http_line.h"
#include "http_wire.h"
#include "packice/transport/protocol.h"

namespace packice {

class HttpChannel {
 public:
  // Gets the reply (a failure that the node answered is one), or why there is none. Null: not
  // wanted.
  using Answered = absl::AnyInvocable<void(absl::StatusOr<Reply>) &&>;

  struct Call {
    Request request;
    Answered answered;
    absl::Duration wait = absl::ZeroDuration();  // how long the node may let it wait
    bool barrier = false;
  };
  using CallId = uint64_t;

  // What a call is on the wire, and the answer, whatever its status.
  struct Exchange {
    absl::string_view method = "GET";  // a literal
    std::string target;
    std::string headers = {};  // more of them, each with its CRLF
    std::string body = {};
    absl::optional<uint64_t> max_body = {};  // as HttpQuestion's
    bool repeatable = true;                  // sending it twice does what sending it once does
    absl::AnyInvocable<void(absl::StatusOr<HttpAnswer>) &&> answered;  // null: not wanted
    absl::Duration wait = absl::ZeroDuration();
    bool barrier = false;
  };

  // Calls `tick` every `period`, on the channel's thread.
  HttpChannel(std::shared_ptr<const HttpWire> wire, absl::Duration period,
              std::function<void()> tick);
  explicit HttpChannel(std::shared_ptr<const HttpWire> wire);
  // What is unanswered ends in `unavailable`.
  ~HttpChannel();

  CallId Send(Call call);
  CallId Ask(Exchange exchange);
  // Hangs up on a call that is still unanswered; it ends in `unavailable`.
  void Abort(CallId id);

  bool IsThisThread() const { return thread_.get_id() == std::this_thread::get_id(); }

 private:
  struct Pending;
  class Loop;

  const std::shared_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace packice
