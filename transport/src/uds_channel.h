// One connection of a UdsPeer to its node: sends requests, reads answers, hands each to who asked.
//
// Thread-safe. Requests go out in the order of their Calls. There is one reader at a time: a thread
// that awaits an answer, or, when answers are wanted and nobody awaits any, a thread of the
// channel's own. Releases that nobody waits for are held back for a moment, so that they cost no
// message of their own. Once broken a channel stays broken; whoever waits learns why.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "line_buffer.h"
#include "packice/core/clock.h"
#include "packice/core/latch.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/protocol.h"
#include "packice/transport/uds_peer.h"
#include "segment_views.h"

namespace packice {

class UdsChannel : public std::enable_shared_from_this<UdsChannel> {
 public:
  // What came with a reply.
  struct Attached {
    std::vector<UniqueFd> descriptors;
    UdsChannel* channel = nullptr;  // null without a reply
  };
  // Gets the reply (a failure that the node answered is one) and what came with it; or why there
  // will be none. Null: not wanted.
  using Answered = absl::AnyInvocable<void(absl::StatusOr<Reply>, Attached&) &&>;

  struct Call {
    Request request;
    Answered answered;
    absl::Duration wait = absl::ZeroDuration();  // how long the node may let it wait
    // What follows the request line. Copied by Send.
    absl::InlinedVector<absl::string_view, 1> payload = {};
  };

  // A thread in Await looks for its answer for `spin` before it sleeps.
  UdsChannel(UniqueFd socket, absl::Duration call_timeout,
             absl::Duration spin = absl::ZeroDuration());
  // As End does.
  ~UdsChannel();

  // Every Call that is still unanswered ends in `unavailable`. When it returns no callback runs any
  // more, but for one that has called it. For an owner whose callbacks must not outlive it: it is
  // not the only one who shares the channel.
  void End();

  int socket() const { return socket_->get(); }
  std::shared_ptr<const NodeConnection> connection() const { return connection_; }
  // What the node has passed of its shared memory.
  const SegmentViews& segments() const { return *segments_; }

  // Sends requests, in order and in one go. False when the connection turned out to be broken
  // before a byte of them was sent: `calls` are then untouched, and the node has not seen them.
  bool Send(absl::Span<Call> calls);

  // Releases a lease with the next Send, in front of its calls, or soon. Nobody hears the answer.
  // What the end of the channel finds it sends, if the socket takes it.
  void ReleaseSoon(LeaseRequest lease);
  // Those that were not sent, of a channel that broke.
  std::vector<LeaseRequest> TakeReleases();

  // Runs `calls`, then reads until `done` is set or the channel is broken.
  void Await(absl::FunctionRef<void()> calls, Latch& done);

  // The first failure; OK while there is none.
  absl::Status why_broken() const;
  // Whoever makes a hold on segments and asks afterwards knows whether the socket stays open for it
  // (SegmentViews::in_use).
  bool broken() const { return connection_->broken.load(); }

 private:
  struct Unanswered {
    Request request;
    Answered answered;
    Instant deadline;
  };
  struct Ready {
    Answered answered;
    absl::StatusOr<Reply> reply;
    Attached attached;
  };
  // What this thread is delivering: a callback that ends the channel has the others run first.
  struct Delivery {
    const UdsChannel* channel;
    std::vector<Ready> ready;
    size_t next;
    Delivery* outer;

    void Run();
  };

  ssize_t SendAndQueue(absl::Span<Call> calls, Instant now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  // The rest of what the socket did not take at once. Where it has to read answers meanwhile it
  // remains the `reader`, and these are for the caller to deliver: before anybody reads later ones.
  absl::Status SendRest(absl::string_view bytes, Instant deadline, std::vector<Ready>& ready,
                        bool& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(send_mutex_);
  // A thread of the channel's own, which sends what no Send took along.
  void ReleaseInTime();
  void Farewell();
  bool TooMuchUnread() const;

  bool BecomeReader();
  void StopReading();
  // These two only by the reader. The first runs the callbacks, too. Until the instant given it
  // does not sleep.
  void ReadOnce(int flags, Instant spin_until = absl::ZeroDuration());
  absl::Status Receive(int flags, std::vector<Ready>& ready,
                       Instant spin_until = absl::ZeroDuration());
  void Deliver(std::vector<Ready> ready) const;
  absl::Status TakeLines(std::vector<Ready>& ready);
  absl::Status TakeLine(absl::string_view line, std::vector<Ready>& ready)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckDeadlines();
  void Break(absl::Status why);
  // Reads what is there without waiting, unless somebody reads already.
  void DrainIfNobodyReads();
  void NeedReader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadInBackground();

  const std::shared_ptr<NodeConnection> connection_;
  const std::shared_ptr<const UniqueFd> socket_;  // the connection's
  const std::unique_ptr<SegmentViews> segments_;
  const absl::Duration call_timeout_;
  const absl::Duration spin_;

  // Held from queueing a request to its last byte. Before mutex_.
  Mutex send_mutex_;
  std::string output_ ABSL_GUARDED_BY(send_mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  size_t awaiting_ ABSL_GUARDED_BY(mutex_) = 0;  // threads in Await
  size_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;    // unanswered with a callback
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status why_broken_ ABSL_GUARDED_BY(mutex_);
  std::deque<Unanswered> in_order_ ABSL_GUARDED_BY(mutex_);
  // Those that may be overtaken, by their seq.
  std::map<std::string, Unanswered, std::less<>> overtaken_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_seq_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread background_ ABSL_GUARDED_BY(mutex_);
  std::vector<LeaseRequest> releases_ ABSL_GUARDED_BY(mutex_);  // not sent yet
  bool releaser_idle_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar release_;  // wakes the releaser
  std::thread releaser_ ABSL_GUARDED_BY(mutex_);

  // Touched by the reader only, whoever that is.
  LineBuffer input_;
  std::deque<UniqueFd> received_;

  static thread_local Delivery* delivering_;
};

}  // namespace packice
