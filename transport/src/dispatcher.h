// From a decoded request to a call of the Peer, and from its answer to a reply: what every
// transport of the control protocol has in common. Owned by a server; thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/types/optional.h"
#include "blocking_pool.h"
#include "packice/core/event_ring.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/transport/node_extension.h"
#include "packice/transport/node_metrics.h"
#include "packice/transport/protocol.h"
#include "packice/transport/shared_reads.h"
#include "staging.h"
#include "writer_gate.h"

namespace packice {

// More than this is copied elsewhere than on a connection's event loop, in bytes.
inline constexpr size_t kMaxInline = 1 << 20;

struct Answer {
  Reply reply;
  // That its FdHandles index.
  std::vector<FdDescriptor> descriptors;
};

// Who asks. Belongs to one connection and is touched by its requests in order.
struct Caller {
  SessionId session = SessionId::kNone;
  // Announced kFeaturePositioned. A hello may overtake a request that waits, whose answer is made
  // on another thread.
  std::atomic<bool> positioned{false};
  // Announced kFeatureSegments, and with it kFeaturePositioned.
  std::atomic<bool> segments{false};
  // Descriptors can ride with an answer. Otherwise what has no path is reached through a URL.
  bool takes_descriptors = true;
  std::unique_ptr<Staging> staging;  // null until it is asked for
  // Null until it has asked for the index.
  std::unique_ptr<SharedReads::Session> reads;

  // How many may be pinned. What is pinned counts as nobody's bytes once its object is gone.
  static constexpr size_t kMaxPinned = 10000;

  // Objects in shared memory where the client goes on looking although their lease ends, or may end
  // by a TTL: until it releases the lease (once more) or goes. `capacity`.
  absl::Status Pin(const LeaseId& lease, std::shared_ptr<Object> object);
  void Unpin(const LeaseId& lease);
  // What is pinned stays for as long as this process: nobody will hear when the client goes.
  void KeepForEver();

 private:
  Mutex mutex_;
  absl::flat_hash_map<LeaseId, std::shared_ptr<Object>> pinned_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> any_pinned_{false};
};

class Dispatcher {
 public:
  using Completion = absl::AnyInvocable<void(Answer) &&>;

  // Every request is counted in `metrics`, which also add what the node knows to its peer's
  // figures. Peer, metrics and extension, which may be null, outlive the dispatcher. Without
  // `events` they are `unsupported`, and so is the index without `reads`.
  Dispatcher(Peer& peer, std::string version, NodeMetrics& metrics,
             std::shared_ptr<EventRing> events, NodeExtension* extension,
             SharedReads* reads = nullptr)
      : peer_(peer),
        version_(std::move(version)),
        metrics_(metrics),
        events_(std::move(events)),
        extension_(extension),
        reads_(reads) {}

  // Answers as Peer does: perhaps before it returns, perhaps later, on any thread. `operation` is
  // what Cancel will know the request by. `caller` outlives the answer. A wait for events ends by
  // Cancel only: the transport has timers.
  void Dispatch(Request request, Caller& caller, OperationId operation, Completion done);

  // Ends a wait: an acquire in `timeout`, one for events with none, an extension's as that has it.
  void Cancel(OperationId operation);

  Peer& peer() { return peer_; }
  // Threads for what may take long. Made at the first call.
  BlockingPool& blocking();
  // Whoever writes or seals under a lease, of this server's clients.
  WriterGate& writers() { return writers_; }
  // Names of ops beyond the protocol's.
  absl::Span<const std::string> extension_ops() const;
  // What /metrics answers, given what the peer does.
  std::string MetricsText(const PeerStats& peer) const;

 private:
  class Batch;
  class Counted;

  void Acquire(AcquireRequest request, Caller& caller, OperationId operation, Counted done);
  // Fetches or copies such blobs into memory first, on threads of its own; then they have
  // descriptors.
  void AnswerWithBytes(Grant grant, Caller& caller, Counted done);
  // Nothing where sealed bytes have neither a descriptor nor a path, and the caller takes no other
  // handle: they have to be fetched first; or where more than `to_copy` bytes would have to be
  // copied. The grant is then as before. Who writes with the write op needs no handles.
  absl::optional<Answer> Granted(Grant& grant, const Caller& caller, bool with_handles,
                                 size_t to_copy = kMaxInline);
  // False for such a blob.
  static absl::StatusOr<bool> AddHandle(const Grant& grant, size_t blob, const Caller& caller,
                                        size_t& to_copy, GrantReply& reply, Answer& answer);
  // Sees to it that the bytes stay for the caller even when the lease is over; then runs `then`,
  // which is told why they do not.
  void PinThen(const LeaseRequest& lease, Caller& caller,
               absl::AnyInvocable<void(absl::Status) &&> then);
  void Renew(const RenewRequest& renew, Caller& caller, Counted done);
  void Events(const EventsRequest& request, OperationId operation, Counted done);
  void Extension(ExtensionRequest request, OperationId operation, Counted done);
  Answer Index(Caller& caller) const;
  StatsReply Stats(const PeerStats& peer) const;
  Answer Hello(const HelloRequest& request, Caller& caller) const;

  Peer& peer_;
  const std::string version_;
  NodeMetrics& metrics_;
  const std::shared_ptr<EventRing> events_;  // may be null
  NodeExtension* const extension_;           // may be null
  SharedReads* const reads_;                 // may be null
  WriterGate writers_;
  Mutex mutex_;
  std::unique_ptr<BlockingPool> blocking_ ABSL_GUARDED_BY(mutex_);  // null until it is needed
};

}  // namespace packice
