// What a Reader is made of.
#pragma once

#include <memory>

#include "packice/core/metadata.h"
#include "packice/core/mutex.h"
#include "packice/core/object_id.h"
#include "sdk/lease_hold.h"
#include "sdk/sealed_bytes.h"
#include "sdk/view_stream.h"

namespace packice::sdk {

// Thread-safe but for `lease`.
class ReaderState {
 public:
  // Requires: the object is sealed.
  explicit ReaderState(Granted granted);

  const ObjectId& id() const { return id_; }
  const Metadata& metadata() const { return metadata_; }
  SealedBytes& bytes() { return bytes_; }
  LeaseHold& lease() { return lease_; }
  std::istream& stream();

 private:
  LeaseHold lease_;  // goes last: what it pins is unmapped by then
  // Copies, because the object itself goes once it is mapped.
  const ObjectId id_;
  const Metadata metadata_;
  SealedBytes bytes_;
  Mutex mutex_;
  std::unique_ptr<ViewStream> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice::sdk
