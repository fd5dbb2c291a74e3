#include "http_grants.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "file_identity.h"
#include "http_blob.h"
#include "packice/core/error.h"
#include "packice/core/path_blob.h"

namespace packice {
namespace {

using BlobOr = absl::StatusOr<std::shared_ptr<Blob>>;

// Null when the path does not lead there, or nothing proves that it does.
BlobOr OpenFile(const PathHandle& handle, bool writable, bool declared) {
  if (handle.identity.empty()) return nullptr;
  absl::StatusOr<UniqueFd> file = OpenRegularFile(handle.path);
  if (!file.ok() || FileIdentity(file->get()) != handle.identity) return nullptr;
  PathDescriptor path = {handle.path, handle.offset, handle.size};
  if (writable) return PathBlob::Writable(std::move(path), *std::move(file), declared);
  return PathBlob::Sealed(std::move(path), *std::move(file));
}

uint64_t SizeOf(const Handle& handle) {
  return absl::visit([](const auto& one) { return one.size; }, handle);
}

}  // namespace

absl::StatusOr<Grant> MakeHttpGrant(GrantReply reply, absl::optional<SessionId> session,
                                    bool declared, Instant now,
                                    const std::shared_ptr<HttpTransfer>& transfer, PieceHash hash) {
  Grant grant;
  grant.lease.id = reply.lease_id;
  grant.lease.object_id = reply.object_id;
  grant.lease.access = reply.access;
  if (session) {
    grant.lease.session = *session;
  } else if (reply.ttl) {
    grant.lease.ttl = *reply.ttl;
    grant.lease.deadline = now + *reply.ttl;
  }
  const bool writable = reply.access == Access::kCreate;
  Object::Blobs blobs;
  for (const Handle& handle : reply.handles) {
    std::shared_ptr<Blob> blob;
    if (const auto* path = absl::get_if<PathHandle>(&handle)) {
      BlobOr opened = OpenFile(*path, writable, declared);
      if (!opened.ok()) return opened.status();
      blob = *std::move(opened);
    }
    if (blob == nullptr) {
      HttpBlob::Options options;
      options.target = absl::StrCat("/leases/", reply.lease_id.ToString(), "/blobs/", blobs.size());
      options.size = SizeOf(handle);
      options.writable = writable;
      options.declared = declared || !writable;
      options.hash = hash;
      blob = std::make_shared<HttpBlob>(transfer, std::move(options));
    }
    blobs.push_back(std::move(blob));
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
