#include "peer_origin.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "swarm_lease.h"

namespace packice {
namespace {

constexpr uint64_t kChunk = 4 << 20;

absl::Status CopyBytes(const Blob& from, Blob& to, const WorkThreads& work) {
  const uint64_t size = from.size();
  std::string buffer(std::min(kChunk, size), '\0');
  for (uint64_t at = 0; at < size;) {
    if (work.stopping()) {
      return MakeError(ErrorKind::kUnavailable, "the node is shutting down");
    }
    const uint64_t wanted = std::min(kChunk, size - at);
    absl::StatusOr<size_t> n = from.Read(at, absl::MakeSpan(&buffer[0], wanted));
    if (!n.ok()) return n.status();
    if (*n == 0) {
      return MakeError(ErrorKind::kCorrupt,
                       absl::StrCat("the origin's object of ", size, " bytes ends at ", at));
    }
    absl::Status status = to.Write(at, absl::string_view(buffer.data(), *n));
    if (!status.ok()) return status;
    at += *n;
  }
  return absl::OkStatus();
}

}  // namespace

void PeerOrigin::Copy(const ObjectId& object_id, Done<absl::Status> done) {
  work_.Run([this, object_id, done = OnEngineThread(post_, std::move(done))]() mutable {
    std::move(done)(CopyNow(object_id));
  });
}

absl::Status PeerOrigin::CopyNow(const ObjectId& object_id) {
  AcquireRequest read;
  read.object_id = object_id;
  read.session = session_;
  absl::StatusOr<Grant> from = blocking::Acquire(origin_, std::move(read));
  if (!from.ok()) return from.status();
  const SwarmLease reading(origin_, *std::move(from));
  // Without its end of life a copy would live for ever, and be another content than other copies.
  absl::StatusOr<ObjectInfo> info = blocking::Stat(origin_, object_id);
  if (!info.ok()) return info.status();

  AcquireRequest create;
  create.access = Access::kCreate;
  create.object_id = object_id;
  for (const auto& blob : reading.object().blobs()) create.blob_sizes.push_back(blob->size());
  create.metadata = reading.object().metadata();
  absl::StatusOr<SwarmLease> writing = objects_.BeginCopy(std::move(create));
  if (!writing.ok()) return writing.status();
  absl::Status copied = CopyInto(reading, *writing, info->expires_at);
  writing->Release();
  objects_.EndCopy(object_id);
  return copied;
}

absl::Status PeerOrigin::CopyInto(const SwarmLease& reading, const SwarmLease& writing,
                                  absl::optional<absl::Time> expires_at) {
  const Object::Blobs& targets = writing.object().blobs();
  for (size_t i = 0; i < targets.size(); ++i) {
    absl::Status status = CopyBytes(*reading.object().blobs()[i], *targets[i], work_);
    if (!status.ok()) return status;
  }
  SealRequest seal;
  seal.lease_id = writing.lease().id;
  seal.session = writing.lease().session;
  seal.expires_at = expires_at;
  return blocking::Seal(local_, std::move(seal)).status();
}

}  // namespace packice
