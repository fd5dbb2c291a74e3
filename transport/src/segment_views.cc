#include "segment_views.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/core/segment_blob.h"

namespace packice {

SegmentViews::View::~View() {
  if (!bytes.empty()) munmap(const_cast<char*>(bytes.data()), bytes.size());
}

absl::Status SegmentViews::Learn(const Reply& reply, std::vector<UniqueFd>& descriptors) {
  MutexLock lock(mutex_);
  if (const auto* grant = absl::get_if<GrantReply>(&reply)) return Learn(*grant, descriptors);
  const auto* batch = absl::get_if<std::unique_ptr<BatchReply>>(&reply);
  if (batch == nullptr) return absl::OkStatus();
  for (const Reply& part : (*batch)->responses) {
    const auto* grant = absl::get_if<GrantReply>(&part);
    if (grant == nullptr) continue;
    if (absl::Status status = Learn(*grant, descriptors); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SegmentViews::Learn(const GrantReply& grant, std::vector<UniqueFd>& descriptors) {
  for (const uint64_t id : grant.dropped_segments) views_.erase(id);
  for (const Handle& handle : grant.handles) {
    const auto* segment = absl::get_if<SegmentHandle>(&handle);
    if (segment == nullptr || !segment->index) continue;
    if (*segment->index >= descriptors.size() || !descriptors[*segment->index]) {
      return MakeError(ErrorKind::kCorrupt, "the node names a descriptor that it did not pass");
    }
    auto view = MakeView(*segment, std::move(descriptors[*segment->index]));
    if (!view.ok()) return view.status();
    views_[segment->segment] = *std::move(view);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SegmentViews::View>> SegmentViews::MakeView(
    const SegmentHandle& handle, UniqueFd fd) const {
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoError(errno, "cannot look at a shared segment");
  if (handle.segment_size == 0 || static_cast<uint64_t>(info.st_size) != handle.segment_size) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat("the node calls a segment of ", info.st_size, " bytes ",
                                  handle.segment_size, " bytes long"));
  }
  void* const base = mmap(nullptr, handle.segment_size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return ErrnoError(errno, "cannot map a shared segment");
  auto view = std::make_shared<View>();
  view->bytes = absl::MakeConstSpan(static_cast<const char*>(base), handle.segment_size);
  view->segment.id = handle.segment;
  view->segment.size = handle.segment_size;
  view->segment.fd = std::move(fd);
  view->socket = socket_;
  return view;
}

absl::StatusOr<std::shared_ptr<Blob>> SegmentViews::MakeBlob(
    const SegmentHandle& handle, const std::shared_ptr<SegmentHold>& hold) const {
  std::shared_ptr<View> view;
  {
    MutexLock lock(mutex_);
    const auto found = views_.find(handle.segment);
    if (found != views_.end()) view = found->second;
  }
  if (view == nullptr) {
    return MakeError(ErrorKind::kCorrupt, "the node names a segment that it did not pass");
  }
  if (handle.offset > view->bytes.size() || handle.size > view->bytes.size() - handle.offset) {
    return MakeError(ErrorKind::kCorrupt, "the node names bytes beyond the end of their segment");
  }
  const absl::Span<const char> bytes = view->bytes.subspan(handle.offset, handle.size);
  std::shared_ptr<const SharedSegment> segment(view, &view->segment);
  hold->Add(std::move(view));
  return std::make_shared<SegmentBlob>(bytes, handle.offset, std::move(segment), hold);
}

std::vector<MappedSegment> SegmentViews::All() const {
  std::vector<MappedSegment> all;
  MutexLock lock(mutex_);
  for (const auto& [id, view] : views_) all.push_back({id, view->bytes, view});
  return all;
}

std::shared_ptr<SegmentHold> SegmentViews::MakeHold(const LeaseId& lease_id,
                                                    std::weak_ptr<UdsChannel> channel) const {
  return std::make_shared<SegmentHold>(lease_id, std::move(channel), holds_);
}

}  // namespace packice
