#include "packice/client.h"

#include <utility>

#include "packice/core/blocking.h"
#include "sdk/connection.h"
#include "sdk/held_object.h"
#include "sdk/lease_hold.h"
#include "sdk/reader_state.h"
#include "sdk/requests.h"
#include "sdk/writer_state.h"

namespace packice {

Client::Client(std::shared_ptr<sdk::Connection> connection) : connection_(std::move(connection)) {}
Client::~Client() = default;

absl::StatusOr<Writer> Client::Create(absl::string_view id, const CreateOptions& options) {
  absl::StatusOr<AcquireRequest> request = sdk::CreateRequest(id, options);
  if (!request.ok()) return request.status();
  absl::StatusOr<sdk::Granted> granted = sdk::Acquire(connection_, *std::move(request));
  if (!granted.ok()) return granted.status();
  return Writer(std::make_unique<sdk::WriterState>(*std::move(granted), !options.sizes.empty()));
}

absl::StatusOr<Reader> Client::Get(absl::string_view id, const GetOptions& options) {
  absl::StatusOr<AcquireRequest> request = sdk::ReadRequest(id, options);
  if (!request.ok()) return request.status();
  if (auto held = sdk::FindHeld(*connection_, *request)) {
    return Reader(std::make_unique<sdk::ReaderState>(*std::move(held)));
  }
  absl::StatusOr<sdk::Granted> granted = sdk::Acquire(connection_, *std::move(request));
  if (!granted.ok()) return granted.status();
  return Reader(std::make_unique<sdk::ReaderState>(sdk::Hold(*std::move(granted))));
}

absl::Status Client::Delete(absl::string_view id) {
  absl::StatusOr<AcquireRequest> request = sdk::WriteRequest(id);
  if (!request.ok()) return request.status();
  absl::StatusOr<sdk::Granted> granted = sdk::Acquire(connection_, *std::move(request));
  if (!granted.ok()) return granted.status();
  const absl::StatusOr<LeaseId> lease_id = granted->lease.Use();
  if (!lease_id.ok()) return lease_id.status();
  absl::Status status = blocking::Discard(connection_->peer(), LeaseRequest{.lease_id = *lease_id});
  if (status.ok()) granted->lease.Forget();
  return status;
}

absl::Status Client::Relocate(absl::string_view id, absl::string_view to) {
  absl::StatusOr<ObjectId> new_id = ObjectId::Parse(to);
  if (!new_id.ok()) return new_id.status();
  absl::StatusOr<AcquireRequest> request = sdk::WriteRequest(id);
  if (!request.ok()) return request.status();
  absl::StatusOr<sdk::Granted> granted = sdk::Acquire(connection_, *std::move(request));
  if (!granted.ok()) return granted.status();
  const absl::StatusOr<LeaseId> lease_id = granted->lease.Use();
  if (!lease_id.ok()) return lease_id.status();
  absl::Status status =
      blocking::Relocate(connection_->peer(), RelocateRequest{*lease_id, *std::move(new_id)});
  if (status.ok()) granted->lease.Forget();
  return status;
}

absl::StatusOr<ObjectInfo> Client::Stat(absl::string_view id) {
  absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
  if (!object_id.ok()) return object_id.status();
  if (absl::Status status = connection_->Check(); !status.ok()) return status;
  return blocking::Stat(connection_->peer(), *object_id);
}

absl::StatusOr<ListPage> Client::List(const ListRequest& request) {
  if (absl::Status status = connection_->Check(); !status.ok()) return status;
  return blocking::List(connection_->peer(), request);
}

absl::StatusOr<NodeStats> Client::Stats() { return connection_->Stats(); }

absl::StatusOr<std::string> Client::Call(absl::string_view op, absl::string_view request_json,
                                         absl::Duration wait) {
  return connection_->Call({std::string(op), std::string(request_json), wait});
}

absl::StatusOr<EventPage> Client::Events(const EventsRequest& request) {
  return connection_->Events(request);
}

}  // namespace packice
