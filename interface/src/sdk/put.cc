#include <utility>

#include "packice/client.h"
#include "packice/core/blocking.h"
#include "sdk/connection.h"
#include "sdk/requests.h"

namespace packice {

absl::StatusOr<ObjectId> Client::Put(absl::string_view id, absl::string_view bytes,
                                     const CreateOptions& options) {
  absl::StatusOr<PutRequest> request = sdk::PutRequestOf(id, bytes, options);
  if (!request.ok()) return request.status();
  if (absl::Status status = connection_->Check(); !status.ok()) return status;
  absl::StatusOr<Sealed> sealed = blocking::Put(connection_->peer(), *std::move(request));
  if (!sealed.ok()) return sealed.status();
  return std::move(sealed->object_id);
}

}  // namespace packice
