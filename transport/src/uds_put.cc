#include "uds_put.h"

#include <memory>
#include <utility>

#include "packice/core/error.h"

namespace packice {
namespace {

// More than this is copied elsewhere than on a connection's event loop, in bytes.
constexpr size_t kMaxInline = 1 << 20;

absl::StatusOr<absl::string_view> Staged(const Caller& caller, const StagedRange& range) {
  if (caller.staging != nullptr) return caller.staging->At(range);
  return MakeError(ErrorKind::kInvalidArgument,
                   "this connection has no staging area; ask for one with \"stage\"");
}

absl::Status NotHere() {
  return MakeError(ErrorKind::kUnsupported,
                   "put, stage and write are for the Unix socket; send PUT /objects/{id}");
}

bool IsFile(const Grant& grant, size_t blob) {
  const Object::Blobs& blobs = grant.object->blobs();
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
  Peer& peer = dispatcher.peer();
  if (put.bytes.size() <= kMaxInline) return peer.Put(std::move(put), std::move(done));
  dispatcher.blocking().Run([&peer, put = std::move(put), done = std::move(done)]() mutable {
    peer.Put(std::move(put), std::move(done));
  });
}

Answer ServeStage(const StageRequest& request, Caller& caller) {
  if (!caller.takes_descriptors) return Answer{NotHere(), {}};
  if (caller.staging == nullptr) {
    absl::StatusOr<std::unique_ptr<Staging>> made = Staging::Make(request.size);
    if (!made.ok()) return Answer{std::move(made).status(), {}};
    caller.staging = *std::move(made);
  }
  return Answer{StageReply{0, caller.staging->size()}, {caller.staging->descriptor()}};
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
    const bool on_disk = grant.ok() && IsFile(*grant, request.blob);
    auto finish = [request, bytes, pass = std::move(pass), done = std::move(done),
                   grant = std::move(grant)]() mutable {
      absl::Status status =
          grant.ok() ? WriteStaged(*grant, request, bytes) : std::move(grant).status();
      pass = WriterGate::Pass();  // before the answer, which the next request may follow at once
      std::move(done)(std::move(status));
    };
    // A disk that is busy makes its writers wait, and the event loop must not.
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
