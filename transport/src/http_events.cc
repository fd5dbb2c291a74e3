// The part of HttpConnection that tells events, a line of JSON each.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_connection.h"
#include "http_query.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

namespace asio = boost::asio;

constexpr absl::string_view kLinesType = "application/x-ndjson";
// A follower asks anew so often, also to keep reads told (EventRing).
constexpr absl::Duration kTurn = absl::Seconds(10);
// How long a client that follows may be silent until its host is asked whether it lives.
constexpr int kKeepAliveSeconds = 60;

void AppendChunk(absl::string_view bytes, bool chunked, std::string& out) {
  if (chunked) absl::StrAppend(&out, absl::Hex(bytes.size()), "\r\n");
  absl::StrAppend(&out, bytes);
  if (chunked) absl::StrAppend(&out, "\r\n");
}

}  // namespace

asio::awaitable<void> HttpConnection::GetEvents() {
  absl::StatusOr<EventsRequest> request = EventsFromQuery(target_);
  if (!request.ok()) {
    co_await Fail(request.status());
    co_return;
  }
  const absl::string_view follow = target_.Query("follow").value_or("0");
  if (follow != "0" && follow != "1") {
    co_await Fail(MakeError(ErrorKind::kInvalidArgument, "\"follow\" must be 0 or 1"));
    co_return;
  }
  if (follow == "1" && parser_.request().method != HttpMethod::kHead) {
    co_await FollowEvents(*request);
    co_return;
  }
  absl::StatusOr<EventPage> page = co_await AskEvents(*request);
  if (!page.ok()) {
    co_await Fail(page.status());
    co_return;
  }
  std::string body;
  for (const EventRecord& event : page->events) AppendEventLine(event, body);
  QueueBody(200, kLinesType, body, absl::StrCat("Packice-Next: ", page->next, "\r\n"));
}

// Until the client goes away or the node stops. A client that does not take what it is sent is cut
// off as any other is; one that takes it too slowly ends with the gap, in a line.
asio::awaitable<void> HttpConnection::FollowEvents(EventsRequest request) {
  request.limit = std::clamp<size_t>(request.limit, 1, EventsRequest::kDefaultLimit);
  request.wait = absl::ZeroDuration();
  absl::StatusOr<EventPage> page = co_await AskEvents(request);
  if (!page.ok()) {
    co_await Fail(page.status());
    co_return;
  }
  const bool chunked = !parser_.request().http_1_0;
  if (!chunked) keep_ = false;
  QueueHead({200, kLinesType, chunked ? "Transfer-Encoding: chunked\r\n" : "", absl::nullopt});
  WatchForDeath();
  request.wait = kTurn;
  std::string lines;
  while (!broken_) {
    lines.clear();
    if (page.ok()) {
      request.after = page->next;
      for (const EventRecord& event : page->events) AppendEventLine(event, lines);
    } else {
      EncodeReply(page.status(), "", lines);
    }
    if (!lines.empty()) AppendChunk(lines, chunked, output_);
    if (!FlushAtOnce()) co_await Flush();
    if (broken_ || draining_ || !page.ok()) break;
    page = co_await AskEvents(request);
    if (IsAlone()) broken_ = true;
  }
  if (chunked && !broken_) AppendChunk("", chunked, output_);
  if (draining_) keep_ = false;
}

asio::awaitable<absl::StatusOr<EventPage>> HttpConnection::AskEvents(EventsRequest events) {
  Request request;
  request.op = Op::kEvents;
  request.body = events;
  std::shared_ptr<Call<Answer>> call = BeginOp(std::move(request));
  if (!call->finished) {
    ++node_.in_flight;
    co_await UntilFinished(call->finished);
    --node_.in_flight;
  }
  patience_.cancel();
  operation_ = OperationId::kNone;
  Reply& reply = call->answer->reply;
  if (auto* page = absl::get_if<EventPage>(&reply)) co_return std::move(*page);
  co_return absl::get<absl::Status>(reply);
}

// Nothing may be told for hours. The kernel finds out by itself when the client's host is gone, and
// Sweep sees what the kernel sees.
void HttpConnection::WatchForDeath() {
  const int socket = stream_->socket().native_handle();
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepAliveSeconds, sizeof(kKeepAliveSeconds));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepAliveSeconds, sizeof(kKeepAliveSeconds));
}

}  // namespace packice
