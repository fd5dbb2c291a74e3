#include "http_blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_messages.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr uint64_t kPiece = PieceSums::kPieceBytes;
// What is fetched for a small read, and for one in a row of them.
constexpr uint64_t kMinWindow = 64 * 1024;
constexpr uint64_t kMaxWindow = 4 << 20;
// A read of at least this much goes straight into the caller's buffer.
constexpr uint64_t kDirectBytes = 1 << 20;
// What Map downloads at once.
constexpr uint64_t kDownloadBytes = uint64_t{64} << 20;

uint64_t RoundUp(uint64_t offset) { return (offset + kPiece - 1) / kPiece * kPiece; }
uint64_t RoundDown(uint64_t offset) { return offset / kPiece * kPiece; }

absl::StatusOr<UniqueFd> MemoryOf(uint64_t size) {
  UniqueFd memory(memfd_create("packice-download", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ftruncate(memory.get(), static_cast<off_t>(size)) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot get ", size, " bytes of memory"));
  }
  return memory;
}

absl::StatusOr<std::shared_ptr<Blob>> SealedBlob(UniqueFd memory, uint64_t size) {
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    return ErrnoError(errno, "cannot seal downloaded memory");
  }
  FdDescriptor descriptor{std::make_shared<const UniqueFd>(std::move(memory)), 0, size};
  return std::make_shared<FdBlob>(std::move(descriptor), /*writable=*/false, /*declared=*/true);
}

}  // namespace

HttpBlob::HttpBlob(std::shared_ptr<HttpTransfer> transfer, Options options)
    : transfer_(std::move(transfer)),
      options_(std::move(options)),
      size_(options_.size),
      sealed_(!options_.writable) {}

HttpBlob::~HttpBlob() = default;

uint64_t HttpBlob::size() const { return size_.load(std::memory_order_acquire); }

std::shared_ptr<Blob> HttpBlob::Local() const {
  MutexLock lock(mutex_);
  return local_;
}

// --- Reading.

absl::StatusOr<size_t> HttpBlob::Read(uint64_t offset, absl::Span<char> out) const {
  if (const std::shared_ptr<Blob> local = Local()) return local->Read(offset, out);
  const uint64_t end = size();
  if (offset >= end) return size_t{0};
  out = out.subspan(0, static_cast<size_t>(std::min<uint64_t>(out.size(), end - offset)));
  const size_t asked = out.size();
  if (!sealed()) {
    // May be written meanwhile, so nothing is kept.
    if (absl::Status status = FetchUnchecked(offset, out); !status.ok()) {
      return status;
    }
    return asked;
  }
  absl::StatusOr<std::shared_ptr<const PieceSums>> sums = CheckedSums();
  if (!sums.ok()) return sums.status();
  while (!out.empty()) {
    std::shared_ptr<const Chunk> chunk;
    {
      MutexLock lock(mutex_);
      chunk = chunk_;
    }
    const bool held =
        chunk != nullptr && offset >= chunk->offset && offset - chunk->offset < chunk->bytes.size();
    size_t taken = 0;
    if (held) {
      const absl::string_view bytes =
          absl::string_view(chunk->bytes).substr(offset - chunk->offset);
      taken = std::min(bytes.size(), out.size());
      std::memcpy(out.data(), bytes.data(), taken);
    } else {
      const Plan plan = PlanAt(offset, out.size(), *sums != nullptr);
      if (plan.direct) {
        taken = static_cast<size_t>(plan.size);
        absl::Status status = Fetch(offset, out.subspan(0, taken), sums->get());
        if (!status.ok()) return status;
      } else {
        auto fetched = std::make_shared<Chunk>();
        fetched->offset = plan.offset;
        fetched->bytes.resize(plan.size);
        absl::Status status =
            Fetch(plan.offset, absl::MakeSpan(fetched->bytes.data(), plan.size), sums->get());
        if (!status.ok()) return status;
        MutexLock lock(mutex_);
        chunk_ = std::move(fetched);
      }
    }
    offset += taken;
    out.remove_prefix(taken);
    if (taken > 0) {
      MutexLock lock(mutex_);
      next_ = offset;
    }
  }
  return asked;
}

HttpBlob::Plan HttpBlob::PlanAt(uint64_t offset, uint64_t wanted, bool checked) const {
  const uint64_t end = size();
  Plan plan;
  plan.offset = checked ? RoundDown(offset) : offset;
  // As much as can be checked in the caller's buffer; the rest goes through a chunk.
  uint64_t direct = wanted;
  if (checked && offset + wanted < end) direct = RoundDown(wanted);
  if (wanted >= kDirectBytes && plan.offset == offset && direct > 0) {
    plan.size = direct;
    plan.direct = true;
    return plan;
  }
  MutexLock lock(mutex_);
  window_ = offset == next_ ? std::min(std::max(kMinWindow, window_ * 2), kMaxWindow) : kMinWindow;
  uint64_t to = offset + std::max(window_, wanted);
  if (checked) to = RoundUp(to);
  plan.size = std::min(to, end) - plan.offset;
  return plan;
}

absl::Status HttpBlob::Fetch(uint64_t offset, absl::Span<char> out, const PieceSums* sums) const {
  absl::Status status = FetchUnchecked(offset, out);
  if (!status.ok() || sums == nullptr) return status;
  for (; !out.empty(); out.remove_prefix(std::min<size_t>(out.size(), kPiece)), offset += kPiece) {
    const absl::Span<char> piece = out.subspan(0, kPiece);
    const Digest& sum = sums->pieces[offset / kPiece];
    if (options_.hash(absl::string_view(piece.data(), piece.size())) == sum) continue;
    // Once more, for what the way here did to it.
    status = FetchUnchecked(offset, piece);
    if (!status.ok()) return status;
    if (options_.hash(absl::string_view(piece.data(), piece.size())) == sum) continue;
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat("bytes ", offset, " to ", offset + piece.size(), " of ",
                                  options_.target, " are not those that were sealed"));
  }
  return absl::OkStatus();
}

absl::Status HttpBlob::FetchUnchecked(uint64_t offset, absl::Span<char> out) const {
  const HttpVersion* version = options_.version ? &*options_.version : nullptr;
  return transfer_->Fetch(options_.target, offset, out, version);
}

absl::StatusOr<std::shared_ptr<const PieceSums>> HttpBlob::CheckedSums() const {
  if (options_.hash == nullptr) return nullptr;
  {
    MutexLock lock(mutex_);
    if (sums_known_) return sums_;
  }
  absl::StatusOr<PieceSums> asked = Sums();
  std::shared_ptr<const PieceSums> sums;
  if (asked.ok()) {
    sums = std::make_shared<const PieceSums>(*std::move(asked));
  } else if (KindOf(asked.status()) != ErrorKind::kUnsupported) {
    return asked.status();
  }
  MutexLock lock(mutex_);
  sums_known_ = true;
  sums_ = sums;
  return sums;
}

absl::StatusOr<PieceSums> HttpBlob::Sums() const {
  if (options_.version) return Blob::Sums();
  absl::StatusOr<std::string> body = transfer_->Get(options_.target + "/sums");
  if (!body.ok()) return body.status();
  absl::StatusOr<PieceSums> sums = ReadSums(*body);
  if (sums.ok() && sums->pieces.size() != RoundUp(size()) / kPiece) {
    return MakeError(ErrorKind::kCorrupt,
                     absl::StrCat("the node has ", sums->pieces.size(), " sums for the ", size(),
                                  " bytes of ", options_.target));
  }
  return sums;
}

// --- In memory.

absl::StatusOr<Mapping> HttpBlob::Map(MapAccess access) const {
  if (access == MapAccess::kReadWrite && sealed()) {
    return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  }
  if (access == MapAccess::kReadWrite || !sealed()) {
    return MakeError(ErrorKind::kUnsupported,
                     "a blob that is streamed to its node cannot be mapped before Seal; write it");
  }
  absl::StatusOr<std::shared_ptr<Blob>> local = Download();
  if (!local.ok()) return local.status();
  return (*local)->Map(access);
}

absl::StatusOr<std::shared_ptr<Blob>> HttpBlob::Download() const {
  MutexLock download_lock(download_mutex_);
  if (std::shared_ptr<Blob> local = Local()) return local;
  absl::StatusOr<std::shared_ptr<const PieceSums>> sums = CheckedSums();
  if (!sums.ok()) return sums.status();
  const uint64_t end = size();
  absl::StatusOr<UniqueFd> memory = MemoryOf(end);
  if (!memory.ok()) return memory.status();
  for (uint64_t at = 0; at < end; at += kDownloadBytes) {
    const uint64_t size = std::min(kDownloadBytes, end - at);
    absl::StatusOr<Mapping> part = Mapping::Map(memory->get(), at, size, MapAccess::kReadWrite);
    if (!part.ok()) return part.status();
    absl::Status status = Fetch(at, part->bytes(), sums->get());
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::shared_ptr<Blob>> local = SealedBlob(*std::move(memory), end);
  if (!local.ok()) return local.status();
  MutexLock lock(mutex_);
  local_ = *local;
  chunk_ = nullptr;
  return local;
}

absl::StatusOr<std::shared_ptr<Blob>> HttpBlob::InMemory(absl::string_view bytes) {
  absl::StatusOr<UniqueFd> memory = MemoryOf(bytes.size());
  if (!memory.ok()) return memory.status();
  if (!bytes.empty()) {
    absl::StatusOr<Mapping> mapping =
        Mapping::Map(memory->get(), 0, bytes.size(), MapAccess::kReadWrite);
    if (!mapping.ok()) return mapping.status();
    std::memcpy(mapping->bytes().data(), bytes.data(), bytes.size());
  }
  return SealedBlob(*std::move(memory), bytes.size());
}

BlobDescriptor HttpBlob::Describe() const {
  if (const std::shared_ptr<Blob> local = Local()) return local->Describe();
  return UrlDescriptor{transfer_->wire().address.ToString() + options_.target, size()};
}

// --- Writing.

absl::Status HttpBlob::Write(uint64_t offset, absl::string_view bytes) {
  if (sealed()) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
  constexpr uint64_t kMaxSize = INT64_MAX;
  const uint64_t limit = options_.declared ? options_.size : kMaxSize;
  if (offset > limit || bytes.size() > limit - offset) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a write of ", bytes.size(), " bytes at ", offset,
                                  options_.declared ? " passes the declared size of "
                                                    : " passes what any blob can have, ",
                                  limit));
  }
  if (bytes.empty()) return absl::OkStatus();
  if (absl::Status status = transfer_->Store(options_.target, offset, bytes); !status.ok()) {
    return status;
  }
  const uint64_t written = offset + bytes.size();
  if (!options_.declared && written > size()) size_.store(written, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status HttpBlob::Seal(absl::optional<uint64_t> final_size) {
  if (!options_.declared && final_size) size_.store(*final_size, std::memory_order_release);
  sealed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace packice
