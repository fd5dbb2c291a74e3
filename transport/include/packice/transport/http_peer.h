// A node behind HTTP, as a Peer: the client's side of the HTTP transport.
//
// Thread-safe. Calls are sent by a thread of this peer's own, over a few keep-alive connections,
// and are answered on it; a wait has a connection to itself. Bytes are moved on the thread that
// reads or writes a blob. After the node was restarted the next call connects anew; in a forked
// child the first call does, while the blobs that the parent was granted are `unavailable` there.
//
// HTTP has no connection that a lease could belong to, so one without a TTL is asked for with a
// short one and renewed as long as this peer lives, until it ends by request, by EndSession or with
// this peer; its Grant shows no TTL. Of a session's leases the node knows nothing: their rules are
// kept here.
//
// A blob whose file this process can open, and that is proven to be the node's (docs/protocol.md,
// "identity"), is read and written there. Others are streamed: `Write` sends, `Read` fetches ahead
// of a sequential reader and takes up a transfer where it broke off, and the first read-only Map
// downloads all of the blob into memory. What was not downloaded by then is gone with the lease.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/peer.h"
#include "packice/core/piece_sums.h"
#include "packice/transport/protocol.h"

namespace packice {

struct HttpPeerOptions {
  std::string url;    // "http://host:port" or "https://host:port"
  std::string token;  // for Authorization: Bearer; empty: none
  // For https: a PEM file of the authorities to trust; empty: the system's. Or trust anybody, which
  // keeps no secret from whoever sits in between.
  std::string ca_file;
  bool insecure_skip_verify = false;
  // How long an answer may take beyond the request's own wait, and how long bytes may pause, before
  // the call fails with `timeout`.
  absl::Duration call_timeout = absl::Seconds(60);
  // Checks streamed bytes against the sums that the node keeps (`corrupt`). Null: they are not
  // checked.
  PieceHash hash = nullptr;
  const Clock* clock = &Clock::System();
};

class HttpPeer final : public Peer {
 public:
  // How long a kept lease outlives a client that vanishes, and how often it is renewed.
  static constexpr absl::Duration kKeptTtl = absl::Seconds(60);
  static constexpr absl::Duration kKeepPeriod = absl::Seconds(20);

  // `invalid_argument` for options that cannot be; `unavailable` when nobody listens there;
  // `permission_denied` when the node wants another token or cannot prove who it is; `unsupported`
  // when it speaks another protocol version, or is no node.
  static absl::StatusOr<std::unique_ptr<HttpPeer>> Connect(HttpPeerOptions options);
  // Ends waits with `unavailable`, and kept leases, for which it waits a few seconds at most.
  ~HttpPeer() override;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  // The bytes are sent from threads of the peer's own.
  void Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Cancel(OperationId operation) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  // Calls made after a Release without a callback are sent once that one was answered.
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;
  void Gather(absl::FunctionRef<void()> calls) override;

  // The whole node's statistics, its connections and descriptors among them.
  void NodeStats(Done<absl::StatusOr<StatsReply>> done);
  // What has happened on the node, of which a request may wait. Errors are those of
  // EventRing::Read; `unsupported` of a node that keeps no events.
  void Events(EventsRequest request, Done<absl::StatusOr<EventPage>> done);
  // An operation of the node's extension; answers with its JSON object. `not_found` of a node that
  // has none of that name, `corrupt`, and what the operation can fail with.
  void Extension(ExtensionRequest request, Done<absl::StatusOr<std::string>> done);
  // What the node calls itself.
  HelloReply Hello() const;

  // Renews the kept leases that are due by the clock, and blocks until they are. The peer does so
  // by itself, in its own time; for tests whose clock stands still.
  void RunDue();

 private:
  class Impl;
  explicit HttpPeer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
