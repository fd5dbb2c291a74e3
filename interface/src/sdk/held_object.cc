#include "sdk/held_object.h"

#include "packice/core/object_place.h"
#include "sdk/held_objects.h"

namespace packice::sdk {

HeldObject Hold(Granted granted) {
  const std::shared_ptr<Connection>& connection = granted.lease.shared_connection();
  HeldObjects* const others = granted.granted_by == nullptr ? nullptr : connection->held();
  const Object::Blobs& blobs = granted.object->blobs();
  absl::optional<ObjectPlace> place;
  if (others != nullptr && !blobs.empty() && blobs.front()->size() > 0) {
    place = PlaceOf(*granted.object);
  }
  auto object = std::make_shared<SealedObject>(granted);
  HeldObject held{LeaseShare(std::move(granted.lease), granted.lasts), std::move(object)};
  if (place.has_value()) others->Add(held, *place, granted.granted_by);
  return held;
}

absl::optional<HeldObject> FindHeld(Connection& connection, const AcquireRequest& request) {
  if (connection.held() == nullptr || request.ttl.has_value()) return absl::nullopt;
  return connection.held()->Find(request.object_id);
}

}  // namespace packice::sdk
