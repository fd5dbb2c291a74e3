// What this node tells that it holds, and the filter of it that others pull. Thread-compatible.
//
// Each version of the filter is the former one with an id more, or built anew: what is withdrawn
// stays in it until then.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "object_filter.h"
#include "packice/core/clock.h"
#include "packice/p2p/directory.h"
#include "packice/proto/gossip.pb.h"

namespace packice {

class OwnHoldings {
 public:
  // Above those of earlier lives of this node.
  explicit OwnHoldings(uint64_t first_version) : epoch_(first_version), version_(first_version) {}

  // Whether that makes it held whole, or whole with another content.
  bool Put(const Holding& holding);
  // Whether it was held whole.
  bool Remove(const ObjectId& object_id);

  // Null where it is not held, or its life is over.
  const Holding* Find(const ObjectId& object_id, absl::Time now) const;
  // Held whole, in byte order: those that start with `prefix`, after `after`, at most `limit`.
  std::vector<ObjectId> List(const std::string& prefix, const std::string& after, size_t limit,
                             absl::Time now) const;

  // Builds the filter anew where too much in it has been withdrawn.
  void Tidy(Instant now);
  // What brings the filter of `have` to the present one; 0: nothing.
  void FillFilter(uint64_t have, gossip::v1::Filter& out) const;

  uint64_t version() const { return version_; }
  const ObjectFilter& filter() const { return filter_; }
  size_t size() const { return holdings_.size(); }

 private:
  static constexpr size_t kMaxAdded = 65536;

  void Rebuild();

  std::map<ObjectId, Holding> holdings_;
  ObjectFilter filter_;
  uint64_t epoch_;                 // the version that `added_` starts from
  uint64_t version_;               // epoch_ + added_.size()
  std::vector<ObjectHash> added_;  // since
  size_t removed_ = 0;             // from holdings_ but not from the filter
  Instant removed_since_;
};

}  // namespace packice
