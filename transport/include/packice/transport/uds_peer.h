// A node behind a Unix socket, as a Peer: the client's side of the UDS transport.
//
// Thread-safe. One connection carries all calls, pipelined. There is no thread for reading while
// calls block: whoever waits for an answer reads for all (Await). A background thread starts with
// the first call that wants an answer and that nobody blocks on. After the node was restarted the
// next call connects anew; in a forked child the first call does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "packice/core/peer.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/protocol.h"

namespace packice {

struct UdsPeerOptions {
  std::string path;
  // How long an answer may take beyond the request's own wait, before the call fails with
  // `timeout`.
  absl::Duration call_timeout = absl::Seconds(60);
  // How long a thread that reads an answer for its caller looks for it again and again before it
  // sleeps. Of several threads that share the connection only the one that reads does so; those
  // it reads for sleep.
  absl::Duration spin = absl::ZeroDuration();
  // Puts of so many bytes and more go through memory that client and node share, piece by piece,
  // and into memory of the node that is warm already; from 32 KiB to this in one piece.
  size_t pieces_from = (1 << 20) + 1;
};

// A connection to a node.
struct NodeConnection {
  explicit NodeConnection(UniqueFd fd) : socket(std::move(fd)) {}

  // Hung up when the node is gone. Not to be read or written but by the peer.
  const UniqueFd socket;
  // The peer has found that it is over. For good.
  std::atomic<bool> broken{false};
};

struct SharedIndex {
  UniqueFd index;
  UniqueFd hints;
  uint64_t first_segment = 0;                        // SharedReads::first_segment
  std::shared_ptr<const NodeConnection> connection;  // that it came by
};

struct MappedSegment {
  uint64_t id = 0;
  absl::Span<const char> bytes;
  std::shared_ptr<const void> owner;  // keeps the mapping
};

class UdsPeer final : public Peer {
 public:
  // `unavailable` when nobody listens there, `permission_denied` when the socket is another user's,
  // `unsupported` when the node speaks another protocol version.
  static absl::StatusOr<std::unique_ptr<UdsPeer>> Connect(UdsPeerOptions options);
  ~UdsPeer() override;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  // A small object is one message. Its bytes are copied before this returns, or once they are
  // gathered.
  void Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Cancel(OperationId operation) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  // Without a callback it goes in front of the next request, or 2 ms later, and the node has it
  // then.
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;
  void Gather(absl::FunctionRef<void()> calls) override;
  void Await(absl::FunctionRef<void()> calls, Latch& done) override;

  // The whole node's statistics, its connections and descriptors among them.
  void NodeStats(Done<absl::StatusOr<StatsReply>> done);
  // What has happened on the node, of which a request may wait. Errors are those of
  // EventRing::Read; `unsupported` of a node that keeps no events.
  void Events(EventsRequest request, Done<absl::StatusOr<EventPage>> done);
  // An operation of the node's extension; answers with its JSON object. `invalid_argument` of a
  // node that has none of that name, `corrupt`, and what the operation can fail with.
  void Extension(ExtensionRequest request, Done<absl::StatusOr<std::string>> done);
  // What the node calls itself.
  absl::StatusOr<HelloReply> Hello();

  // --- For reading without messages.

  // The connection that calls go through now; null while there is none.
  std::shared_ptr<const NodeConnection> Present();
  // What the node offers for it. Blocks. `unsupported` of a node that offers nothing.
  absl::StatusOr<SharedIndex> OpenIndex();
  // The segments of the node's shared memory that the present connection has mapped: those that
  // grants have named so far.
  std::vector<MappedSegment> Segments();

 private:
  class Impl;
  explicit UdsPeer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
