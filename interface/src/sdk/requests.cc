#include "sdk/requests.h"

#include <utility>

#include "packice/transport/codec.h"

namespace packice::sdk {

absl::StatusOr<AcquireRequest> CreateRequest(absl::string_view id, const CreateOptions& options) {
  AcquireRequest request;
  request.access = Access::kCreate;
  if (!id.empty()) {
    absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
    if (!object_id.ok()) return object_id.status();
    request.object_id = *std::move(object_id);
  }
  if (!options.metadata_json.empty()) {
    absl::StatusOr<Metadata> metadata = ParseMetadata(options.metadata_json);
    if (!metadata.ok()) return metadata.status();
    request.metadata = *std::move(metadata);
  }
  request.blob_sizes.assign(options.sizes.begin(), options.sizes.end());
  request.object_ttl = options.object_ttl;
  request.ttl = options.lease_ttl;
  request.wait = options.wait.value_or(absl::ZeroDuration());
  return request;
}

absl::StatusOr<PutRequest> PutRequestOf(absl::string_view id, absl::string_view bytes,
                                        const CreateOptions& options) {
  absl::StatusOr<AcquireRequest> create = CreateRequest(id, options);
  if (!create.ok()) return create.status();
  PutRequest request;
  request.object_id = std::move(create->object_id);
  request.blob_sizes = std::move(create->blob_sizes);
  request.bytes = bytes;
  request.metadata = std::move(create->metadata);
  request.object_ttl = create->object_ttl;
  request.wait = create->wait;
  return request;
}

absl::StatusOr<AcquireRequest> ReadRequest(absl::string_view id, const GetOptions& options) {
  absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
  if (!object_id.ok()) return object_id.status();
  AcquireRequest request;
  request.access = Access::kRead;
  request.object_id = *std::move(object_id);
  request.ttl = options.lease_ttl;
  request.wait = options.wait;
  return request;
}

absl::StatusOr<AcquireRequest> WriteRequest(absl::string_view id) {
  absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
  if (!object_id.ok()) return object_id.status();
  AcquireRequest request;
  request.access = Access::kWrite;
  request.object_id = *std::move(object_id);
  return request;
}

}  // namespace packice::sdk
