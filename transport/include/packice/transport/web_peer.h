// The files of any HTTP/1.1 server as the objects of a read-only Peer: nginx, a gateway to S3, a
// directory that Python serves. For swarms and tiers whose origin is a web server.
//
// Object "models/a b" of base URL "https://host/base" is the file at /base/models/a%20b. A READ
// lease asks the server what the file is (HEAD, or GET where that is not allowed), and nothing is
// held there: a lease here is a promise to nobody, and bytes are fetched when they are read, by
// ranges, on the thread that reads. All of them are of the state that was acquired, by the file's
// ETag or, to the second, its Last-Modified; once the file has changed, reads are `busy`, and an
// acquire finds the new one.
//
// Servers without ranges, and files without either header, are good for files up to
// kMaxWholeBytes, which are fetched by the acquire. Redirects are not followed.
//
// Thread-safe. The server is asked on a thread of this peer's own, on which calls are answered. In
// a forked child the peer connects anew, and blobs of the parent's grants are `unavailable`.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"

namespace packice {

struct WebPeerOptions {
  std::string token;  // for Authorization: Bearer; empty: none
  // For https: a PEM file of the authorities to trust; empty: the system's. Or trust anybody, which
  // keeps no secret from whoever sits in between.
  std::string ca_file;
  bool insecure_skip_verify = false;
  // How long an answer may take, and how long bytes may pause, before the call fails with
  // `timeout`.
  absl::Duration call_timeout = absl::Seconds(60);
  const Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

class WebPeer final : public Peer {
 public:
  static constexpr uint64_t kMaxWholeBytes = 1 << 20;

  // "http://host:port/base", "https://host". Reaches no server yet. `invalid_argument` for a URL
  // that is none or has a query, or for options that cannot be.
  static absl::StatusOr<std::unique_ptr<WebPeer>> Connect(absl::string_view base_url,
                                                          WebPeerOptions options = {});
  ~WebPeer() override;

  // kRead: `not_found`; `permission_denied` for what the server wants other rights for;
  // `unavailable` when it cannot be reached or fails; `timeout`; `unsupported` for a large file of
  // a server without ranges; `invalid_argument` for an id that is no path below the base, which has
  // no empty segment and none that is "." or "..". Other access: `unsupported`.
  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId) override {}                                         // nothing waits here
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;  // `unsupported`
  void Discard(LeaseRequest request, Done<absl::Status> done) override;        // `unsupported`
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  // Errors of kRead; its times are when the file was last modified, where the server says that.
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;  // `unsupported`
  // Of leases and acquires; which objects there are only the server knows.
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

 private:
  class Impl;
  explicit WebPeer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
