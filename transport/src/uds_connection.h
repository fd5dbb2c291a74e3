// One client of a UdsServer: reads its lines, has them answered, sends the answers in order.
//
// Lives on one worker's io_context: everything but the completion of a request runs on that thread,
// so there are no locks. Keeps itself alive while it has something to do.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "dispatcher.h"
#include "handed_segments.h"
#include "request_stream.h"

namespace packice {

class UdsConnection : public std::enable_shared_from_this<UdsConnection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  // What its server is told, on the connection's thread.
  struct Owner {
    // From now on it only waits for its client to go.
    std::function<void()> lingers;
    std::function<void(UdsConnection*)> closed;
  };

  // Counts in `requests`, which its thread owns and which outlives it, what comes from the client
  // and what is answered late.
  UdsConnection(Socket socket, Dispatcher& dispatcher, NodeMetrics& metrics,
                absl::Duration send_timeout, uint64_t& requests, Owner owner);
  ~UdsConnection();

  // Serves until the client is gone or Drain or Close is called.
  void Start();

  // These three on the connection's thread. Waits, also those to come, end in `unavailable`.
  void EndWaits();
  // Answers what has been sent so far, then closes, or lingers.
  void Drain();
  // Closes at once. Where the client may still look at shared memory its session never ends.
  void Close();

  bool lingers() const { return lingers_; }

 private:
  struct Pending;
  // Bytes of `output_` that descriptors ride with.
  struct Rider {
    uint64_t position;  // in the stream of all bytes ever queued
    std::vector<FdDescriptor> descriptors;
  };

  boost::asio::awaitable<void> Serve();
  boost::asio::awaitable<void> ServeLines();
  // A client that was handed segments may look at them for as long as it keeps its socket open
  // (docs/memory.md): its session ends when it goes, not when this side has had enough of it.
  boost::asio::awaitable<void> Linger();
  boost::asio::awaitable<void> Pause();
  // Null when it was answered at once.
  std::shared_ptr<Pending> Begin(DecodedRequest decoded);
  // Takes what the client has read by the index, now and then.
  void CollectReads();
  void EndAfter(Pending& pending, absl::Duration wait);
  void Finished(const std::shared_ptr<Pending>& pending);
  void Queue(Answer answer, absl::string_view seq);

  // Sends what the socket takes, and the rest when it takes more.
  void Flush();
  bool SendSome();
  void DropOutput();
  void FlushWhenWritable();
  void FlushLater();
  void CutIfStalled();
  // Serves it no further.
  void Cut();
  // Whether the client is known to be gone.
  bool ClientIsGone();

  bool flushed() const { return sent_ == queued_; }
  void WatchForHangUp();
  void CancelWaits();

  Socket socket_;
  Dispatcher& dispatcher_;
  NodeMetrics& metrics_;
  const absl::Duration send_timeout_;
  uint64_t& requests_;
  const Owner owner_;
  Caller caller_;

  RequestStream input_;

  HandedSegments handed_;
  std::string output_;  // bytes [sent_, queued_) of the stream
  uint64_t sent_ = 0;
  uint64_t queued_ = 0;
  std::deque<Rider> riders_;
  bool sending_ = false;  // FlushWhenWritable or FlushLater is under way
  bool crowded_ = false;  // FlushLater since the last byte that was sent

  // Requests that were not answered at once: `ordered_` holds up those behind it, the others carry
  // a seq.
  std::shared_ptr<Pending> ordered_;
  std::set<std::shared_ptr<Pending>> waiting_;
  size_t waiting_bytes_ = 0;

  boost::asio::steady_timer wake_;  // never fires: cancelled to wake Pause
  boost::asio::steady_timer collect_;
  boost::asio::steady_timer stalled_;  // closes a connection whose client does not read
  boost::asio::steady_timer retry_;
  boost::asio::cancellation_signal hang_up_watch_;
  bool draining_ = false;
  bool muted_ = false;  // the client takes no more answers
  bool cut_ = false;    // and gets none
  bool hung_up_ = false;
  bool reads_no_further_ = false;   // than what has come
  absl::optional<size_t> to_read_;  // bytes of that
  bool deaf_ = false;               // the receiving side is shut
  bool at_end_ = false;             // of what the client has to say
  bool lingers_ = false;
  bool abandoned_ = false;  // its client may look at shared memory for longer than this is there
};

}  // namespace packice
