#include "packice/backends/read_hints.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "file_size.h"
#include "memfd.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr size_t kHints = 2040;

uint64_t Encode(ReadHint hint) { return uint64_t{hint.check} << 32 | hint.slot; }
ReadHint Decode(uint64_t word) {
  return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
}

// What of `now - before` is possible in that time.
uint64_t Believed(uint64_t now, uint64_t before, absl::Duration time, uint64_t per_second) {
  const double most = absl::ToDoubleSeconds(time) * static_cast<double>(per_second);
  const uint64_t claimed = now - before;
  return static_cast<double>(claimed) > most ? 0 : claimed;
}

}  // namespace

// Both sides may touch any of it at any time; nothing depends on an order.
struct ReadHintsPage {
  std::atomic<uint64_t> reads;  // also where the next hint goes
  std::atomic<uint64_t> bytes;
  std::atomic<uint64_t> unused[6];
  std::atomic<uint64_t> hints[kHints];
};
static_assert(sizeof(ReadHintsPage) == 16384);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

absl::StatusOr<std::unique_ptr<ReadHints>> ReadHints::Create(Clock& clock) {
  absl::StatusOr<UniqueFd> fd = memfd::Create("packice-hints");
  if (!fd.ok()) return fd.status();
  if (absl::Status status = SetFileSize(fd->get(), sizeof(ReadHintsPage)); !status.ok()) {
    return status;
  }
  // Taken now, where it fails; a touch would be SIGBUS.
  if (fallocate(fd->get(), 0, 0, sizeof(ReadHintsPage)) != 0) {
    return ErrnoError(errno, "no memory for a page of hints");
  }
  absl::Status sealed = memfd::AddSeals(fd->get(), memfd::kFixedSize | F_SEAL_SEAL);
  if (!sealed.ok()) return sealed;
  auto mapping = Mapping::Map(fd->get(), 0, sizeof(ReadHintsPage), MapAccess::kReadWrite);
  if (!mapping.ok()) return mapping.status();
  return std::unique_ptr<ReadHints>(
      new ReadHints(std::make_shared<const UniqueFd>(*std::move(fd)), *std::move(mapping), clock));
}

ReadHints::ReadHints(std::shared_ptr<const UniqueFd> fd, Mapping mapping, Clock& clock)
    : fd_(std::move(fd)),
      mapping_(std::move(mapping)),
      clock_(clock),
      page_(*reinterpret_cast<ReadHintsPage*>(mapping_.bytes().data())),
      taken_at_(clock.Now()) {}

ReadHints::Taken ReadHints::Take() {
  Taken taken;
  const uint64_t reads = page_.reads.load(std::memory_order_relaxed);
  const uint64_t bytes = page_.bytes.load(std::memory_order_relaxed);
  if (reads == reads_ && bytes == bytes_) return taken;
  const Instant now = clock_.Now();
  const absl::Duration time = now - std::exchange(taken_at_, now) + absl::Milliseconds(1);
  taken.reads = Believed(reads, reads_, time, kMaxReadsPerSecond);
  taken.bytes = Believed(bytes, bytes_, time, kMaxBytesPerSecond);
  const uint64_t count = std::min<uint64_t>(taken.reads, kHints);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>((reads - 1 - i) % kHints);
    taken.hints.push_back(Decode(page_.hints[at].load(std::memory_order_relaxed)));
  }
  reads_ = reads;
  bytes_ = bytes;
  return taken;
}

absl::StatusOr<std::unique_ptr<ReadHintsWriter>> ReadHintsWriter::Open(int fd) {
  const absl::StatusOr<uint64_t> size = FileSize(fd);
  if (!size.ok()) return size.status();
  const absl::StatusOr<int> seals = memfd::Seals(fd);
  if (!seals.ok()) return seals.status();
  if (*size != sizeof(ReadHintsPage) || (*seals & F_SEAL_SHRINK) == 0) {
    return MakeError(ErrorKind::kCorrupt, "what the node passed is no page of hints");
  }
  auto mapping = Mapping::Map(fd, 0, sizeof(ReadHintsPage), MapAccess::kReadWrite);
  if (!mapping.ok()) return mapping.status();
  return std::unique_ptr<ReadHintsWriter>(new ReadHintsWriter(*std::move(mapping)));
}

ReadHintsWriter::ReadHintsWriter(Mapping mapping)
    : mapping_(std::move(mapping)),
      page_(*reinterpret_cast<ReadHintsPage*>(mapping_.bytes().data())) {}

void ReadHintsWriter::Add(ReadHint hint, uint64_t bytes) {
  const uint64_t at = page_.reads.fetch_add(1, std::memory_order_relaxed);
  page_.hints[at % kHints].store(Encode(hint), std::memory_order_relaxed);
  page_.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace packice
