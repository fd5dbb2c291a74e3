#include "uds_answers.h"

#include <algorithm>
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
  const std::shared_ptr<SegmentHold>& hold;
};

absl::StatusOr<FdDescriptor> Take(size_t index, uint64_t offset, uint64_t size,
                                  std::vector<UniqueFd>& descriptors) {
  if (index >= descriptors.size() || !descriptors[index]) {
    return MakeError(ErrorKind::kCorrupt, "the node names a descriptor that it did not pass");
  }
  return FdDescriptor{std::make_shared<const UniqueFd>(std::move(descriptors[index])), offset,
                      size};
}

BlobOr MakeBlob(const FdHandle& fd, Use use, UdsChannel::Attached& attached) {
  absl::StatusOr<FdDescriptor> taken = Take(fd.index, fd.offset, fd.size, attached.descriptors);
  if (!taken.ok()) return taken.status();
  return std::make_shared<FdBlob>(*std::move(taken), use.writable, use.declared || !use.writable);
}

BlobOr MakeBlob(const PathHandle& path, Use use, UdsChannel::Attached& attached) {
  const PathDescriptor described = {path.path, path.offset, path.size};
  if (use.writable) return PathBlob::OpenWritable(described, use.declared);
  if (!path.index) return PathBlob::OpenSealed(described);
  absl::StatusOr<FdDescriptor> taken =
      Take(*path.index, path.offset, path.size, attached.descriptors);
  if (!taken.ok()) return taken.status();
  if (absl::Status status = CheckFileSize(taken->fd->get(), described); !status.ok()) return status;
  return std::make_shared<FdBlob>(*std::move(taken), /*writable=*/false, /*declared=*/true);
}

BlobOr MakeBlob(const SegmentHandle& segment, Use use, UdsChannel::Attached& attached) {
  return attached.channel->segments().MakeBlob(segment, use.hold);
}

BlobOr MakeBlob(const UrlDescriptor&, Use, UdsChannel::Attached&) {
  return MakeError(ErrorKind::kUnsupported,
                   "the node offers neither a descriptor nor a path for a blob");
}

}  // namespace

absl::StatusOr<Grant> MakeGrant(GrantReply reply, SessionId session, bool declared,
                                UdsChannel::Attached& attached,
                                std::shared_ptr<SegmentHold>& hold) {
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
    if (hold == nullptr && absl::holds_alternative<SegmentHandle>(handle)) {
      hold =
          attached.channel->segments().MakeHold(reply.lease_id, attached.channel->weak_from_this());
      // Too late: the node may have seen the connection end, and use the bytes again.
      if (attached.channel->broken()) return attached.channel->why_broken();
    }
    BlobOr blob = absl::visit(
        [&](const auto& one) {
          return MakeBlob(one, Use{writable, declared, hold}, attached);
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

absl::StatusOr<SharedIndex> TakeIndex(absl::StatusOr<Reply> reply, UdsChannel::Attached& attached) {
  absl::StatusOr<IndexReply> answer = As<IndexReply>(std::move(reply));
  if (!answer.ok()) return answer.status();
  std::vector<UniqueFd>& descriptors = attached.descriptors;
  if (answer->index == answer->hints ||
      std::max(answer->index, answer->hints) >= descriptors.size()) {
    return MakeError(ErrorKind::kCorrupt, "the node names a descriptor that it did not pass");
  }
  SharedIndex index;
  index.index = std::move(descriptors[answer->index]);
  index.hints = std::move(descriptors[answer->hints]);
  index.first_segment = answer->first_segment;
  index.connection = attached.channel->connection();
  return index;
}

}  // namespace packice
