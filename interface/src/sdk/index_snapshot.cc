#include "sdk/index_snapshot.h"

#include <limits>
#include <utility>

#include "absl/memory/memory.h"
#include "packice/backends/read_index.h"

namespace packice::sdk {

absl::StatusOr<std::unique_ptr<IndexSnapshot>> IndexSnapshot::Open(UdsPeer& peer,
                                                                   const Clock& clock) {
  absl::StatusOr<SharedIndex> shared = peer.OpenIndex();
  if (!shared.ok()) return shared.status();
  auto view = ReadIndexView::Open(shared->index.get(), clock);
  if (!view.ok()) return view.status();
  auto hints = ReadHintsWriter::Open(shared->hints.get());
  if (!hints.ok()) return hints.status();
  IndexSnapshot empty;
  empty.view_ = *std::move(view);
  empty.hints_ = *std::move(hints);
  empty.connection_ = std::move(shared->connection);
  empty.first_segment_ = shared->first_segment;
  return empty.With(peer.Segments());
}

std::unique_ptr<IndexSnapshot> IndexSnapshot::With(
    const std::vector<MappedSegment>& segments) const {
  auto next = absl::WrapUnique(new IndexSnapshot);
  next->view_ = view_;
  next->hints_ = hints_;
  next->connection_ = connection_;
  next->first_segment_ = first_segment_;
  for (const MappedSegment& segment : segments) {
    const absl::optional<uint32_t> number = NumberOf(segment);
    if (number.has_value()) next->segments_.emplace(*number, segment);
  }
  return next;
}

absl::optional<uint32_t> IndexSnapshot::NumberOf(const MappedSegment& segment) const {
  if (first_segment_ == 0 || segment.id < first_segment_) return absl::nullopt;
  const uint64_t number = segment.id - first_segment_;
  if (number > std::numeric_limits<uint32_t>::max()) return absl::nullopt;
  return static_cast<uint32_t>(number);
}

IndexSnapshot::Found IndexSnapshot::Read(absl::string_view id, absl::Span<char> out,
                                         absl::optional<uint32_t>& unknown) const {
  const auto mapped = [&](uint32_t number) {
    const auto segment = segments_.find(number);
    if (segment != segments_.end()) return segment->second.bytes;
    unknown = number;
    return absl::Span<const char>();
  };
  const Found found = view_->Read(id, mapped, out);
  if (found.outcome == ReadIndexView::Outcome::kFound) {
    hints_->Add({static_cast<uint32_t>(found.slot), found.check()}, found.size);
  }
  return found;
}

ReadIndexView::Outcome IndexSnapshot::IsAt(absl::string_view id, const ObjectPlace& place,
                                           uint64_t bytes) const {
  using Outcome = ReadIndexView::Outcome;
  const Found found = view_->Lookup(id);
  if (found.outcome != Outcome::kFound) return found.outcome;
  ObjectPlace now{0, found.offset};
  if (found.segment != ReadIndexEntry::kOwnMemory) {
    if (!knows_segments()) return Outcome::kStale;
    now.segment = first_segment_ + found.segment;
  }
  if (!(now == place)) return Outcome::kMissing;
  hints_->Add({static_cast<uint32_t>(found.slot), found.check()}, bytes);
  return Outcome::kFound;
}

bool IndexSnapshot::HasOtherThan(const std::vector<MappedSegment>& segments) const {
  size_t here = 0;
  for (const MappedSegment& segment : segments) {
    const absl::optional<uint32_t> number = NumberOf(segment);
    if (number.has_value() && Has(*number)) ++here;
  }
  return here != segments_.size();
}

void IndexSnapshot::Abandon() {
  view_.reset();
  hints_.reset();
}

}  // namespace packice::sdk
