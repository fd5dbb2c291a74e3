#include "uds_answers.h"

#include <memory>

#include "packice/core/fd_blob.h"
#include "packice/core/path_blob.h"

namespace packice {
namespace {

using BlobOr = absl::StatusOr<std::shared_ptr<Blob>>;

// How the blobs of one grant may be used.
struct Use {
  bool writable;
  bool declared;
};

absl::StatusOr<FdDescriptor> Take(size_t index, uint64_t offset, uint64_t size,
                                  std::vector<UniqueFd>& descriptors) {
  if (index >= descriptors.size() || !descriptors[index]) {
    return MakeError(ErrorKind::kCorrupt, "the node names a descriptor that it did not pass");
  }
  return FdDescriptor{std::make_shared<const UniqueFd>(std::move(descriptors[index])), offset,
                      size};
}

BlobOr MakeBlob(const FdHandle& fd, Use use, std::vector<UniqueFd>& descriptors) {
  absl::StatusOr<FdDescriptor> taken = Take(fd.index, fd.offset, fd.size, descriptors);
  if (!taken.ok()) return taken.status();
  return std::make_shared<FdBlob>(*std::move(taken), use.writable, use.declared || !use.writable);
}

BlobOr MakeBlob(const PathHandle& path, Use use, std::vector<UniqueFd>& descriptors) {
  const PathDescriptor described = {path.path, path.offset, path.size};
  if (use.writable) return PathBlob::OpenWritable(described, use.declared);
  if (!path.index) return PathBlob::OpenSealed(described);
  absl::StatusOr<FdDescriptor> taken = Take(*path.index, path.offset, path.size, descriptors);
  if (!taken.ok()) return taken.status();
  if (absl::Status status = CheckFileSize(taken->fd->get(), described); !status.ok()) return status;
  return std::make_shared<FdBlob>(*std::move(taken), /*writable=*/false, /*declared=*/true);
}

BlobOr MakeBlob(const UrlDescriptor&, Use, std::vector<UniqueFd>&) {
  return MakeError(ErrorKind::kUnsupported,
                   "the node offers neither a descriptor nor a path for a blob");
}

}  // namespace

absl::StatusOr<Grant> MakeGrant(GrantReply reply, SessionId session, bool declared,
                                std::vector<UniqueFd>& descriptors) {
  Grant grant;
  grant.lease.id = reply.lease_id;
  grant.lease.object_id = reply.object_id;
  grant.lease.access = reply.access;
  if (reply.ttl.has_value()) {
    grant.lease.ttl = *reply.ttl;
    grant.lease.deadline = Clock::System().Now() + *reply.ttl;
  } else {
    grant.lease.session = session;
  }
  const bool writable = reply.access == Access::kCreate;
  Object::Blobs blobs;
  for (const Handle& handle : reply.handles) {
    BlobOr blob = absl::visit(
        [&](const auto& one) {
          return MakeBlob(one, Use{writable, declared}, descriptors);
        },
        handle);
    if (!blob.ok()) return blob.status();
    blobs.push_back(*std::move(blob));
  }
  grant.object = std::make_shared<Object>(std::move(reply.object_id), std::move(reply.metadata),
                                          std::move(blobs), absl::InfinitePast());
  // What the node calls sealed is; the object here only has to follow.
  if (reply.state == ObjectState::kSealed) {
    absl::Status status = grant.object->Seal(absl::nullopt, Metadata(), absl::InfinitePast());
    if (!status.ok()) return status;
  }
  return grant;
}

}  // namespace packice
