#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/client.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "sdk/lease_hold.h"
#include "sdk/requests.h"

namespace packice {
namespace {

absl::Status CheckSum(absl::Span<const uint64_t> sizes, size_t bytes) {
  uint64_t sum = 0;
  for (const uint64_t size : sizes) {
    if (size > bytes - sum) sum = bytes + 1;  // too large, and no overflow
    if (sum > bytes) break;
    sum += size;
  }
  if (sum == bytes) return absl::OkStatus();
  return MakeError(
      ErrorKind::kInvalidArgument,
      absl::StrCat("the sizes of the blobs do not add up to the ", bytes, " bytes that are put"));
}

// Consecutive pieces of `bytes` into consecutive blobs.
absl::Status Fill(Object& object, absl::string_view bytes) {
  for (const auto& blob : object.blobs()) {
    const size_t size = blob->size();
    if (absl::Status status = blob->Write(0, bytes.substr(0, size)); !status.ok()) return status;
    bytes.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace

// Two round trips: an Acquire, then Seal and Release in one message.
absl::StatusOr<ObjectId> Client::Put(absl::string_view id, absl::string_view bytes,
                                     const CreateOptions& options) {
  absl::StatusOr<AcquireRequest> request = sdk::CreateRequest(id, options);
  if (!request.ok()) return request.status();
  if (options.sizes.empty()) request->blob_sizes = {bytes.size()};
  if (absl::Status status = CheckSum(request->blob_sizes, bytes.size()); !status.ok()) {
    return status;
  }
  absl::StatusOr<sdk::Granted> granted = sdk::Acquire(connection_, *std::move(request));
  if (!granted.ok()) return granted.status();
  if (absl::Status status = Fill(*granted->object, bytes); !status.ok()) return status;

  const absl::StatusOr<LeaseId> lease_id = granted->lease.Use();
  if (!lease_id.ok()) return lease_id.status();
  Peer& peer = connection_->peer();
  SealRequest seal;
  seal.lease_id = *lease_id;
  using Answer = absl::StatusOr<Sealed>;
  Answer sealed = blocking::Await<Answer>(peer, [&](Done<Answer> done) {
    peer.Gather([&] {
      peer.Seal(std::move(seal), std::move(done));
      granted->lease.Release();  // of an object that could not be sealed: it is gone then
    });
  });
  if (!sealed.ok()) return sealed.status();
  return std::move(sealed->object_id);
}

}  // namespace packice
