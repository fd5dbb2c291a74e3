#include "uds_put.h"

#include <memory>
#include <utility>

#include "packice/core/error.h"
#include "packice/core/put.h"

namespace packice {
namespace {

absl::StatusOr<absl::string_view> Staged(const Caller& caller, const StagedRange& range) {
  if (caller.staging != nullptr) return caller.staging->At(range);
  return MakeError(ErrorKind::kInvalidArgument,
                   "this connection has no staging area; ask for one with \"stage\"");
}

absl::Status NotHere() {
  return MakeError(ErrorKind::kUnsupported,
                   "put, stage and write are for the Unix socket; send PUT /objects/{id}");
}

// A disk that is busy makes its writers wait, and an event loop must not.
bool IsFile(const Object& object, size_t blob) {
  const Object::Blobs& blobs = object.blobs();
  return blob < blobs.size() && absl::holds_alternative<PathDescriptor>(blobs[blob]->Describe());
}

absl::Status WriteStaged(const Grant& grant, const WriteRequest& request, absl::string_view bytes) {
  if (grant.lease.access != Access::kCreate) {
    return MakeError(ErrorKind::kPermissionDenied, "only a create lease writes");
  }
  const Object::Blobs& blobs = grant.object->blobs();
  if (request.blob >= blobs.size()) {
    return MakeError(ErrorKind::kInvalidArgument, "the object has no such \"blob\"");
  }
  return blobs[request.blob]->Write(request.offset, bytes);
}

// What Peer::Put does, with the copy on another thread where it may take long. The Acquire is made
// by the caller of Start, so that the wait is known to the peer before anybody can cancel it. Keeps
// itself until it has answered.
class Putting : public std::enable_shared_from_this<Putting> {
 public:
  Putting(Dispatcher& dispatcher, PutRequest request, Done<absl::StatusOr<Sealed>> done)
      : dispatcher_(dispatcher), request_(std::move(request)), done_(std::move(done)) {}

  void Start() {
    absl::Status sizes = CheckBlobSizes(request_.blob_sizes, request_.bytes.size());
    if (!sizes.ok()) return std::move(done_)(std::move(sizes));
    lease_.session = request_.session;
    lease_.operation = request_.operation;
    dispatcher_.peer().Acquire(AcquireFor(request_),
                               [self = shared_from_this()](absl::StatusOr<Grant> grant) {
                                 self->Granted(std::move(grant));
                               });
  }

 private:
  void Granted(absl::StatusOr<Grant> grant) {
    if (!grant.ok()) return std::move(done_)(std::move(grant).status());
    lease_.lease_id = grant->lease.id;
    object_ = std::move(grant->object);
    if (request_.bytes.size() <= kMaxInline && !IsFile(*object_, 0)) return Fill();
    dispatcher_.blocking().Run([self = shared_from_this()] { self->Fill(); });
  }

  void Fill() {
    absl::Status written = FillBlobs(*object_, request_.bytes);
    // Whoever lets go of a sealed object last frees it: not somebody who only wrote it.
    object_.reset();
    if (!written.ok()) return End(std::move(written));
    SealRequest seal;
    seal.lease_id = lease_.lease_id;
    seal.session = lease_.session;
    seal.operation = lease_.operation;
    dispatcher_.peer().Seal(std::move(seal),
                            [self = shared_from_this()](absl::StatusOr<Sealed> sealed) {
                              self->End(std::move(sealed));
                            });
  }

  // The answer comes when the lease is over: whoever hears of the object finds nobody in his way.
  void End(absl::StatusOr<Sealed> outcome) {
    outcome_ = std::move(outcome);
    dispatcher_.peer().Release(lease_, [self = shared_from_this()](const absl::Status&) {
      std::move(self->done_)(std::move(self->outcome_));
    });
  }

  Dispatcher& dispatcher_;
  PutRequest request_;
  Done<absl::StatusOr<Sealed>> done_;
  LeaseRequest lease_;
  std::shared_ptr<Object> object_;
  absl::StatusOr<Sealed> outcome_;
};

}  // namespace

void ServePut(Dispatcher& dispatcher, PutMessage message, const Caller& caller,
              OperationId operation, Done<absl::StatusOr<Sealed>> done) {
  if (!caller.takes_descriptors) return std::move(done)(NotHere());
  PutRequest& put = message.put;
  put.session = caller.session;
  put.operation = operation;
  if (message.staged) {
    absl::StatusOr<absl::string_view> bytes = Staged(caller, *message.staged);
    if (!bytes.ok()) return std::move(done)(std::move(bytes).status());
    put.bytes = *bytes;
  }
  std::make_shared<Putting>(dispatcher, std::move(put), std::move(done))->Start();
}

void ServeStage(Dispatcher& dispatcher, const StageRequest& request, Caller& caller,
                Dispatcher::Completion done) {
  if (!caller.takes_descriptors) return std::move(done)(Answer{NotHere(), {}});
  auto stage = [&caller, size = request.size, done = std::move(done)]() mutable {
    if (caller.staging == nullptr) {
      absl::StatusOr<std::unique_ptr<Staging>> made = Staging::Make(size);
      if (!made.ok()) return std::move(done)(Answer{std::move(made).status(), {}});
      caller.staging = *std::move(made);
    }
    std::move(done)(Answer{StageReply{0, caller.staging->size()}, {caller.staging->descriptor()}});
  };
  if (caller.staging != nullptr || request.size <= kMaxInline) return stage();
  dispatcher.blocking().Run(std::move(stage));
}

void ServeWrite(Dispatcher& dispatcher, const WriteRequest& request, const Caller& caller,
                OperationId operation, Done<absl::Status> done) {
  if (!caller.takes_descriptors) return std::move(done)(NotHere());
  absl::StatusOr<absl::string_view> bytes = Staged(caller, request.staged);
  if (!bytes.ok()) return std::move(done)(std::move(bytes).status());
  WriterGate::Pass pass = dispatcher.writers().Enter(request.lease_id);
  if (!pass) {
    return std::move(done)(
        MakeError(ErrorKind::kBusy, "another request writes or seals under this lease"));
  }
  auto write = [&dispatcher, request, bytes = *bytes, pass = std::move(pass),
                done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    const bool on_disk = grant.ok() && IsFile(*grant->object, request.blob);
    auto finish = [request, bytes, pass = std::move(pass), done = std::move(done),
                   grant = std::move(grant)]() mutable {
      absl::Status status =
          grant.ok() ? WriteStaged(*grant, request, bytes) : std::move(grant).status();
      pass = WriterGate::Pass();  // before the answer, which the next request may follow at once
      std::move(done)(std::move(status));
    };
    if (!on_disk) return finish();
    dispatcher.blocking().Run(std::move(finish));
  };
  const LeaseRequest lease{request.lease_id, caller.session, operation};
  Peer& peer = dispatcher.peer();
  if (bytes->size() <= kMaxInline) return peer.Lookup(lease, std::move(write));
  dispatcher.blocking().Run(
      [&peer, lease, write = std::move(write)]() mutable { peer.Lookup(lease, std::move(write)); });
}

}  // namespace packice
