#include "packice/core/object_index.h"

namespace packice {

ObjectIndex& ObjectIndex::Null() {
  class NullIndex final : public ObjectIndex {
   public:
    void Publish(const Object&, Instant) override {}
    void Withdraw(const ObjectId&) override {}
  };
  static NullIndex* const index = new NullIndex;
  return *index;
}

}  // namespace packice
