// What a Reader is made of.
#pragma once

#include <memory>
#include <utility>

#include "packice/core/mutex.h"
#include "sdk/held_object.h"
#include "sdk/view_stream.h"

namespace packice::sdk {

// Thread-safe but for `lease`.
class ReaderState {
 public:
  explicit ReaderState(HeldObject held) : held_(std::move(held)) {}

  const ObjectId& id() const { return held_.object->id; }
  const Metadata& metadata() const { return held_.object->metadata; }
  SealedBytes& bytes() { return held_.object->bytes; }
  LeaseShare& lease() { return held_.lease; }
  std::istream& stream();

 private:
  HeldObject held_;
  Mutex mutex_;
  std::unique_ptr<ViewStream> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice::sdk
