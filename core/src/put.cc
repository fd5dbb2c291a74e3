#include "packice/core/put.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// The answer comes when the lease is over: whoever hears of the object finds nobody in his way, and
// whoever hears of a failure an id that is free.
void EndPut(Peer& peer, LeaseRequest lease, absl::StatusOr<Sealed> outcome,
            Done<absl::StatusOr<Sealed>> done) {
  peer.Release(std::move(lease),
               [outcome = std::move(outcome), done = std::move(done)](const absl::Status&) mutable {
                 std::move(done)(std::move(outcome));
               });
}

}  // namespace

absl::Status CheckBlobSizes(absl::Span<const uint64_t> sizes, size_t bytes) {
  uint64_t left = bytes;
  bool fits = true;
  for (const uint64_t size : sizes) {
    fits = fits && size <= left;
    if (fits) left -= size;
  }
  if (sizes.empty() || (fits && left == 0)) return absl::OkStatus();
  return MakeError(
      ErrorKind::kInvalidArgument,
      absl::StrCat("the sizes of the blobs do not add up to the ", bytes, " bytes that are put"));
}

AcquireRequest AcquireFor(PutRequest& request) {
  AcquireRequest acquire;
  acquire.access = Access::kCreate;
  acquire.object_id = std::move(request.object_id);
  acquire.blob_sizes = std::move(request.blob_sizes);
  if (acquire.blob_sizes.empty()) acquire.blob_sizes = {request.bytes.size()};
  acquire.metadata = std::move(request.metadata);
  acquire.object_ttl = request.object_ttl;
  acquire.written_here = true;
  acquire.wait = request.wait;
  acquire.session = request.session;
  acquire.operation = request.operation;
  return acquire;
}

absl::Status FillBlobs(Object& object, absl::string_view bytes) {
  for (const std::shared_ptr<Blob>& blob : object.blobs()) {
    const absl::string_view piece = bytes.substr(0, blob->size());
    if (!piece.empty()) {
      if (absl::Status status = blob->Write(0, piece); !status.ok()) return status;
    }
    bytes.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

void PutGathered(Peer& peer, PutRequest request,
                 std::function<void(absl::AnyInvocable<void() &&>)> run,
                 Done<absl::StatusOr<Sealed>> done) {
  struct Putting {
    absl::string_view bytes;
    LeaseRequest lease;
    absl::StatusOr<Sealed> outcome =
        MakeError(ErrorKind::kUnavailable, "the seal was not answered");
    Done<absl::StatusOr<Sealed>> done;
    // Where the connection breaks, two threads may bring the two answers.
    std::atomic<int> unanswered{1};

    void Answered() {
      if (unanswered.fetch_sub(1) == 1) std::move(done)(std::move(outcome));
    }
  };
  absl::Status sizes = CheckBlobSizes(request.blob_sizes, request.bytes.size());
  if (!sizes.ok()) return std::move(done)(std::move(sizes));
  auto put = std::make_shared<Putting>();
  put->bytes = request.bytes;
  put->lease = {LeaseId(), request.session, request.operation};
  put->done = std::move(done);
  const auto end = [&peer, put] {
    peer.Release(put->lease, [put](const absl::Status&) { put->Answered(); });
  };
  const auto fill = [&peer, put, end](std::shared_ptr<Object> object) {
    absl::Status written = FillBlobs(*object, put->bytes);
    object.reset();  // a writer that is still there may be in the seal's way
    if (!written.ok()) {
      put->outcome = std::move(written);
      return end();
    }
    peer.Gather([&] {
      SealRequest seal;
      seal.lease_id = put->lease.lease_id;
      seal.session = put->lease.session;
      seal.operation = put->lease.operation;
      put->unanswered = 2;
      peer.Seal(std::move(seal), [put](absl::StatusOr<Sealed> sealed) {
        put->outcome = std::move(sealed);
        put->Answered();
      });
      end();
    });
  };
  peer.Acquire(AcquireFor(request), [put, run, fill](absl::StatusOr<Grant> grant) {
    if (!grant.ok()) return std::move(put->done)(std::move(grant).status());
    put->lease.lease_id = grant->lease.id;
    run([fill, object = std::move(grant->object)]() mutable { fill(std::move(object)); });
  });
}

void Peer::Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) {
  if (absl::Status status = CheckBlobSizes(request.blob_sizes, request.bytes.size());
      !status.ok()) {
    return std::move(done)(std::move(status));
  }
  const absl::string_view bytes = request.bytes;
  LeaseRequest lease{LeaseId(), request.session, request.operation};
  Acquire(AcquireFor(request),
          [this, bytes, lease, done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
            if (!grant.ok()) return std::move(done)(std::move(grant).status());
            lease.lease_id = grant->lease.id;
            absl::Status written = FillBlobs(*grant->object, bytes);
            // Whoever lets go of a sealed object last frees it: not somebody who only wrote it.
            grant->object.reset();
            if (!written.ok()) return EndPut(*this, lease, std::move(written), std::move(done));
            SealRequest seal;
            seal.lease_id = lease.lease_id;
            seal.session = lease.session;
            seal.operation = lease.operation;
            Seal(std::move(seal),
                 [this, lease, done = std::move(done)](absl::StatusOr<Sealed> sealed) mutable {
                   EndPut(*this, lease, std::move(sealed), std::move(done));
                 });
          });
}

}  // namespace packice
