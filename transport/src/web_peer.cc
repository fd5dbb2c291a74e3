#include "packice/transport/web_peer.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "fork_registry.h"
#include "http_blob.h"
#include "http_channel.h"
#include "http_transfer.h"
#include "http_wire.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "packice/transport/http_peer.h"
#include "web_location.h"
#include "web_probe.h"

namespace packice {
namespace {

absl::Status ReadOnly(absl::string_view what) {
  return MakeError(ErrorKind::kUnsupported,
                   absl::StrCat("a web server's files are only read; it cannot ", what));
}

// When the file was last modified; the epoch where the server does not say that.
absl::Time TimeOf(const HttpVersion& version) {
  absl::Time time;
  const bool valid =
      absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", version.last_modified, &time, nullptr);
  return valid ? time : absl::UnixEpoch();
}

bool IsOver(const Lease& lease, Instant now) { return lease.deadline <= now; }

}  // namespace

class WebPeer::Impl {
 public:
  Impl(WebBase base, std::shared_ptr<const HttpWire> wire, const WebPeerOptions& options)
      : base_(std::move(base)),
        wire_(std::move(wire)),
        clock_(*options.clock),
        random_(*options.random),
        state_(new State) {
    AddForkHook(this, [](void* self) { static_cast<Impl*>(self)->state_ = new State; });
  }
  ~Impl() {
    RemoveForkHook(this);
    std::shared_ptr<HttpChannel> channel;
    {
      MutexLock lock(state_->mutex);
      channel = std::move(state_->channel);
    }
    channel.reset();  // answers what is under way
    delete state_;
  }

  void Probe(const ObjectId& id, ProbePurpose purpose, Probed probed) {
    absl::StatusOr<std::string> target = base_.TargetOf(id);
    if (!target.ok()) return std::move(probed)(target.status());
    ProbeFile(Channel(), *target, purpose, std::move(probed));
  }

  absl::StatusOr<Grant> MakeGrant(const AcquireRequest& request, absl::StatusOr<WebFile> file) {
    if (!file.ok()) {
      if (KindOf(file.status()) == ErrorKind::kNotFound && !request.quiet) CountMiss();
      return file.status();
    }
    absl::StatusOr<std::shared_ptr<Blob>> blob = MakeBlob(request.object_id, *file);
    if (!blob.ok()) return blob.status();
    const absl::Time modified = TimeOf(file->version);
    Grant grant;
    grant.object = std::make_shared<Object>(request.object_id, Metadata(),
                                            Object::Blobs{*std::move(blob)}, modified, modified);
    grant.lease = AddLease(request, file->version.size);
    return grant;
  }

  absl::Status Release(const LeaseRequest& request) {
    MutexLock lock(state_->mutex);
    const auto found = state_->leases.find(request.lease_id);
    if (found == state_->leases.end()) return absl::OkStatus();
    if (!IsOf(found->second, request.session)) return NotYours();
    state_->leases.erase(found);
    return absl::OkStatus();
  }

  absl::StatusOr<absl::Duration> Renew(const RenewRequest& request) {
    if (request.ttl <= absl::ZeroDuration()) {
      return MakeError(ErrorKind::kInvalidArgument, "a lease's TTL is over 0");
    }
    const Instant now = clock_.Now();
    MutexLock lock(state_->mutex);
    const auto found = state_->leases.find(request.lease_id);
    if (found == state_->leases.end() || IsOver(found->second, now)) {
      return MakeError(ErrorKind::kLeaseExpired, "the lease is unknown or over");
    }
    Lease& lease = found->second;
    if (!IsOf(lease, request.session)) return NotYours();
    lease.session = SessionId::kNone;
    lease.ttl = request.ttl;
    lease.deadline = now + request.ttl;
    return request.ttl;
  }

  void EndSession(SessionId session) {
    MutexLock lock(state_->mutex);
    absl::erase_if(state_->leases, [session](const auto& entry) {
      return entry.second.ttl == absl::InfiniteDuration() && entry.second.session == session;
    });
  }

  PeerStats Stats() {
    MutexLock lock(state_->mutex);
    DropExpired();
    PeerStats stats = state_->counted;
    stats.read_leases = state_->leases.size();
    return stats;
  }
  uint64_t LeasesOn(const ObjectId& id) {
    MutexLock lock(state_->mutex);
    DropExpired();
    uint64_t count = 0;
    for (const auto& [lease_id, lease] : state_->leases) count += lease.object_id == id ? 1 : 0;
    return count;
  }

 private:
  // Everything that belongs to this process. A forked child gets a new one and leaves the old one
  // behind, whose lock may be held by a thread that the child does not have.
  struct State {
    Mutex mutex;
    std::shared_ptr<HttpChannel> channel ABSL_GUARDED_BY(mutex);
    std::shared_ptr<HttpTransfer> transfer ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<LeaseId, Lease> leases ABSL_GUARDED_BY(mutex);
    PeerStats counted ABSL_GUARDED_BY(mutex);
  };

  static bool IsOf(const Lease& lease, SessionId session) {
    return lease.session == SessionId::kNone || lease.session == session;
  }
  static absl::Status NotYours() {
    return MakeError(ErrorKind::kPermissionDenied, "the lease belongs to another session");
  }

  HttpChannel& Channel() {
    MutexLock lock(state_->mutex);
    if (state_->channel == nullptr) state_->channel = std::make_shared<HttpChannel>(wire_);
    return *state_->channel;
  }
  std::shared_ptr<HttpTransfer> Transfer() {
    MutexLock lock(state_->mutex);
    if (state_->transfer == nullptr) state_->transfer = std::make_shared<HttpTransfer>(wire_);
    return state_->transfer;
  }

  absl::StatusOr<std::shared_ptr<Blob>> MakeBlob(const ObjectId& id, const WebFile& file) {
    if (file.bytes) return HttpBlob::InMemory(*file.bytes);
    absl::StatusOr<std::string> target = base_.TargetOf(id);
    if (!target.ok()) return target.status();
    HttpBlob::Options options;
    options.target = *std::move(target);
    options.size = file.version.size;
    options.version = file.version;
    return std::make_shared<HttpBlob>(Transfer(), std::move(options));
  }

  Lease AddLease(const AcquireRequest& request, uint64_t size) {
    Lease lease;
    lease.id = LeaseId::Random(random_);
    lease.object_id = request.object_id;
    lease.access = Access::kRead;
    if (request.ttl && *request.ttl != absl::InfiniteDuration()) {
      lease.ttl = *request.ttl;
      lease.deadline = clock_.Now() + *request.ttl;
    } else {
      lease.session = request.session;
    }
    MutexLock lock(state_->mutex);
    DropExpired();
    state_->leases.emplace(lease.id, lease);
    if (!request.quiet) {
      ++state_->counted.hits;
      state_->counted.hit_bytes += size;
    }
    return lease;
  }
  void CountMiss() {
    MutexLock lock(state_->mutex);
    ++state_->counted.misses;
  }
  void DropExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mutex) {
    const Instant now = clock_.Now();
    state_->counted.expired_leases += absl::erase_if(
        state_->leases, [now](const auto& entry) { return IsOver(entry.second, now); });
  }

  const WebBase base_;
  const std::shared_ptr<const HttpWire> wire_;
  const Clock& clock_;
  RandomSource& random_;
  State* state_;
};

WebPeer::WebPeer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebPeer::~WebPeer() = default;

absl::StatusOr<std::unique_ptr<WebPeer>> WebPeer::Connect(absl::string_view base_url,
                                                          WebPeerOptions options) {
  absl::StatusOr<WebBase> base = WebBase::Parse(base_url);
  if (!base.ok()) return base.status();
  HttpPeerOptions reach;
  reach.url = base->server;
  reach.token = options.token;
  reach.ca_file = options.ca_file;
  reach.insecure_skip_verify = options.insecure_skip_verify;
  reach.call_timeout = options.call_timeout;
  absl::StatusOr<std::shared_ptr<const HttpWire>> wire = HttpWire::Make(reach);
  if (!wire.ok()) return wire.status();
  auto impl = std::make_unique<Impl>(*std::move(base), *std::move(wire), options);
  return std::unique_ptr<WebPeer>(new WebPeer(std::move(impl)));
}

void WebPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  if (request.access != Access::kRead) return std::move(done)(ReadOnly("create or change one"));
  if (request.object_id.empty() || (request.ttl && *request.ttl <= absl::ZeroDuration())) {
    return std::move(done)(MakeError(ErrorKind::kInvalidArgument,
                                     "a READ acquire names an object, and a TTL over 0 if any"));
  }
  const ObjectId id = request.object_id;
  impl_->Probe(id, ProbePurpose::kRead,
               [impl = impl_.get(), request = std::move(request),
                done = std::move(done)](absl::StatusOr<WebFile> file) mutable {
                 std::move(done)(impl->MakeGrant(request, std::move(file)));
               });
}

void WebPeer::Seal(SealRequest, Done<absl::StatusOr<Sealed>> done) {
  std::move(done)(ReadOnly("seal an object"));
}

void WebPeer::Discard(LeaseRequest, Done<absl::Status> done) {
  std::move(done)(ReadOnly("discard an object"));
}

void WebPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  absl::Status status = impl_->Release(request);
  if (done) std::move(done)(std::move(status));
}

void WebPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  std::move(done)(impl_->Renew(request));
}

void WebPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  impl_->Probe(object_id, ProbePurpose::kStat,
               [impl = impl_.get(), object_id,
                done = std::move(done)](absl::StatusOr<WebFile> file) mutable {
                 if (!file.ok()) return std::move(done)(file.status());
                 ObjectInfo info;
                 info.object_id = object_id;
                 info.state = ObjectState::kSealed;
                 info.blob_sizes = {file->version.size};
                 info.leases = impl->LeasesOn(object_id);
                 info.created_at = TimeOf(file->version);
                 info.sealed_at = info.created_at;
                 std::move(done)(std::move(info));
               });
}

void WebPeer::List(ListRequest, Done<absl::StatusOr<ListPage>> done) {
  std::move(done)(ReadOnly("list them"));
}

void WebPeer::Stats(Done<absl::StatusOr<PeerStats>> done) { std::move(done)(impl_->Stats()); }

void WebPeer::EndSession(SessionId session) { impl_->EndSession(session); }

}  // namespace packice
