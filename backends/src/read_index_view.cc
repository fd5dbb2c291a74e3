#include "packice/backends/read_index_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "memfd.h"
#include "packice/core/error.h"
#include "racy_copy.h"
#include "read_index_key.h"
#include "read_index_layout.h"

namespace packice {
namespace {

// A change of a slot takes some ten nanoseconds, a lost race for an object's bytes means that the
// object goes; neither is worth more.
constexpr int kSlotTries = 3;
constexpr int kReadTries = 2;

const ReadIndexSlot* SlotsOf(const ReadIndexHeader* header) {
  return reinterpret_cast<const ReadIndexSlot*>(reinterpret_cast<const char*>(header) +
                                                kHeaderBytes);
}

absl::Span<const ReadIndexWord> ArenaOf(const ReadIndexHeader* header, uint64_t buckets,
                                        uint64_t words) {
  const ReadIndexSlot* end = SlotsOf(header) + buckets * kBucketSlots;
  return absl::MakeConstSpan(reinterpret_cast<const ReadIndexWord*>(end), words);
}

absl::Status Corrupt(absl::string_view what) {
  return MakeError(ErrorKind::kCorrupt,
                   absl::StrCat("the node's read index ", what, "; read by leases instead"));
}

absl::Status CheckKind(const ReadIndexHeader& header) {
  if (header.magic != kReadIndexMagic) return Corrupt("does not begin as one does");
  if (header.layout == kReadIndexLayout) return absl::OkStatus();
  return MakeError(
      ErrorKind::kUnsupported,
      absl::StrCat("the node's read index has layout ", header.layout, " and this client knows ",
                   kReadIndexLayout, "; read by leases instead, or update the older of the two"));
}

// Bounds before products, which must not wrap.
bool FitsInto(uint64_t bytes, uint64_t buckets, uint64_t arena_words) {
  return buckets > 0 && buckets <= kMaxBuckets && arena_words <= bytes / sizeof(ReadIndexWord) &&
         TableBytes(buckets, arena_words) <= bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadIndexView>> ReadIndexView::Open(int fd, const Clock& clock) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return ErrnoError(errno, "cannot ask for the read index's size");
  const uint64_t bytes = static_cast<uint64_t>(status.st_size);
  // Memory that shrinks under a reader kills it (SIGBUS).
  const absl::StatusOr<int> seals = memfd::Seals(fd);
  if (!seals.ok() || (*seals & F_SEAL_SHRINK) == 0) return Corrupt("is not sealed");
  if (bytes < kHeaderBytes) return Corrupt("is too short");
  // Shared, unlike Mapping's: only for shared mappings it is promised that changes show.
  void* base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return ErrnoError(errno, "cannot map the read index");
  std::unique_ptr<ReadIndexView> view(
      new ReadIndexView(static_cast<const ReadIndexHeader*>(base), bytes, clock));
  if (absl::Status kind = CheckKind(*view->header_); !kind.ok()) return kind;
  if (!FitsInto(bytes, view->buckets_, view->arena_words_)) {
    return Corrupt("is larger than its memory");
  }
  return view;
}

ReadIndexView::ReadIndexView(const ReadIndexHeader* header, uint64_t mapped, const Clock& clock)
    : header_(header),
      mapped_(mapped),
      clock_(clock),
      generation_(header->generation),
      seed_(header->seed),
      buckets_(header->buckets),
      arena_words_(header->arena_words) {}

ReadIndexView::~ReadIndexView() { munmap(const_cast<ReadIndexHeader*>(header_), mapped_); }

bool ReadIndexView::stale() const {
  return header_->state.load(std::memory_order_relaxed) != kIndexLive;
}

ReadIndexView::Found ReadIndexView::Lookup(absl::string_view id) const {
  Found found;
  if (stale()) {
    found.outcome = Outcome::kStale;
    return found;
  }
  if (!IsIdSize(id.size())) return found;
  const IdKey key = MakeKey(id, seed_);
  const BucketPair buckets = BucketsOf(key.hash, buckets_);
  const ReadIndexSlot* const slots = SlotsOf(header_);
  PrefetchBucket(slots + buckets.first * kBucketSlots);
  const auto is_id = [&](const SlotFields& fields) {
    return IsId(key, fields, ArenaOf(header_, buckets_, arena_words_));
  };
  for (const uint64_t bucket : {buckets.first, buckets.second}) {
    for (uint64_t nth = 0; nth < kBucketSlots; ++nth) {
      const uint64_t slot = SlotAt(bucket, key.hash, nth);
      SlotFields fields;
      found.version = ReadSlot(slots[slot], header_->state, key.match, kSlotTries, is_id, fields);
      if (found.version == 0) continue;
      if (fields.expiry != kNeverExpires &&
          static_cast<uint64_t>(absl::ToInt64Nanoseconds(clock_.Now())) >= fields.expiry) {
        return Found();
      }
      found.outcome = Outcome::kFound;
      found.segment = static_cast<uint32_t>(fields.extent >> 32);
      found.offset = fields.offset();
      found.size = fields.extent & UINT32_MAX;
      found.readable = found.size != kNotReadable;
      found.slot = slot;
      return found;
    }
  }
  return found;
}

bool ReadIndexView::Validate(const Found& found) const {
  return Unchanged(SlotsOf(header_)[found.slot], header_->state, found.version);
}

ReadIndexView::Found ReadIndexView::Read(absl::string_view id, SegmentTable segments,
                                         absl::Span<char> out) const {
  for (int tries = kReadTries; tries > 0; --tries) {
    Found found = Lookup(id);
    if (found.outcome != Outcome::kFound) return found;
    if (!found.readable) break;
    if (found.size > out.size()) {
      found.outcome = Outcome::kTooSmall;
      return found;
    }
    const absl::Span<const char> segment = segments(found.segment);
    if (segment.data() == nullptr || found.offset > segment.size() ||
        segment.size() - found.offset < found.size) {
      break;
    }
    if (found.size > 0) RacyCopy(out.data(), segment.data() + found.offset, found.size);
    if (Validate(found)) return found;
  }
  return Found();
}

}  // namespace packice
