#include "uds_answers.h"

#include <memory>

#include "packice/core/fd_blob.h"

namespace packice {

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
    const auto* fd = absl::get_if<FdHandle>(&handle);
    if (fd == nullptr || fd->index >= descriptors.size()) {
      return MakeError(ErrorKind::kUnsupported, "the node offers no descriptor for a blob");
    }
    FdDescriptor descriptor{std::make_shared<const UniqueFd>(std::move(descriptors[fd->index])),
                            fd->offset, fd->size};
    blobs.push_back(
        std::make_unique<FdBlob>(std::move(descriptor), writable, declared || !writable));
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
