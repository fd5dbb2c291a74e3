// Where those look who read objects without a lease. A peer tells it what there is.
//
// Implementations are thread-safe, return at once, and do not call back into the peer: they are
// told under the object's lock.
#pragma once

#include "packice/core/clock.h"
#include "packice/core/object.h"
#include "packice/core/object_id.h"

namespace packice {

class ObjectIndex {
 public:
  virtual ~ObjectIndex() = default;

  // The sealed object is to be found under its id until `deadline`, if it can be read from here at
  // all.
  virtual void Publish(const Object& object, Instant deadline) = 0;

  // There is no object of this id any more. Once it has returned nobody finds it, and who is at
  // reading it finds out: its bytes may then be used again. An id that is not there is no error.
  virtual void Withdraw(const ObjectId& object_id) = 0;

  // Drops everything. Lives for ever.
  static ObjectIndex& Null();
};

}  // namespace packice
