// All that it takes to read a node's small objects without a message, as one thing that does not
// change: the index, the page for hints, the segments that this process has mapped.
//
// Owned by a SnapshotKeeper. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/backends/read_hints.h"
#include "packice/backends/read_index_view.h"
#include "packice/core/clock.h"
#include "packice/core/object_place.h"
#include "packice/transport/uds_peer.h"

namespace packice::sdk {

class IndexSnapshot {
 public:
  using Found = ReadIndexView::Found;

  // Asks the node; blocks. Errors are those of UdsPeer::OpenIndex and of the two Opens. The clock
  // outlives all that is made of this.
  static absl::StatusOr<std::unique_ptr<IndexSnapshot>> Open(UdsPeer& peer, const Clock& clock);

  // The same index, with these segments.
  std::unique_ptr<IndexSnapshot> With(const std::vector<MappedSegment>& segments) const;

  // As ReadIndexView::Read, and what is found counts as read. `unknown` is set to the number of a
  // segment that would have been needed and is not here.
  Found Read(absl::string_view id, absl::Span<char> out, absl::optional<uint32_t>& unknown) const;

  // kFound where the object of this id lies there, which counts as a read of so many bytes;
  // kMissing where it does not; kStale where only a newer snapshot can tell.
  ReadIndexView::Outcome IsAt(absl::string_view id, const ObjectPlace& place, uint64_t bytes) const;

  bool Has(uint32_t segment) const { return segments_.contains(segment); }
  // Whether one of its segments is not among these.
  bool HasOtherThan(const std::vector<MappedSegment>& segments) const;
  // Whether the node has told what its segments are called: not before it has one.
  bool knows_segments() const { return first_segment_ != 0; }
  const std::shared_ptr<const NodeConnection>& connection() const { return connection_; }

  // In a forked child, of the parent's: lets go of the memory that is the node's. The rest stays
  // for ever, because descriptors in it are closed already and may have been taken anew.
  void Abandon();

 private:
  IndexSnapshot() = default;
  absl::optional<uint32_t> NumberOf(const MappedSegment& segment) const;

  std::shared_ptr<const ReadIndexView> view_;
  std::shared_ptr<ReadHintsWriter> hints_;
  std::shared_ptr<const NodeConnection> connection_;
  uint64_t first_segment_ = 0;
  absl::flat_hash_map<uint32_t, MappedSegment> segments_;  // by the index's numbers
};

}  // namespace packice::sdk
