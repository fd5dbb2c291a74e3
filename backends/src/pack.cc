#include "pack.h"

#include <algorithm>
#include <string>

#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr uint64_t kAlignment = 64;  // a cache line, and more than any number's alignment

// Collects small writes into few large ones.
class PackWriter {
 public:
  explicit PackWriter(Blob& memory) : memory_(memory) { buffer_.reserve(2 * kChunk); }

  // Where the next blob will begin.
  uint64_t offset() const { return written_ + buffer_.size(); }

  absl::Status Append(const Blob& blob) {
    const uint64_t size = blob.size();
    const size_t begin = buffer_.size();
    buffer_.resize(begin + PackRoom(size));
    absl::StatusOr<size_t> read = blob.Read(0, absl::MakeSpan(&buffer_[begin], size));
    if (!read.ok()) return read.status();
    if (*read != size) return MakeError(ErrorKind::kInternal, "a sealed blob has shrunk");
    return buffer_.size() < kChunk ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    if (absl::Status status = memory_.Write(written_, buffer_); !status.ok()) return status;
    written_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kChunk = 256 * 1024;

  Blob& memory_;
  uint64_t written_ = 0;
  std::string buffer_;
};

}  // namespace

uint64_t PackRoom(uint64_t size) {
  return std::max(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
}

absl::StatusOr<FilledPack> FillPack(std::unique_ptr<Blob> memory, const Tenants& tenants) {
  std::vector<FdDescriptor> ranges;
  ranges.reserve(tenants.size());
  PackWriter writer(*memory);
  for (const std::shared_ptr<Tenant>& tenant : tenants) {
    const std::shared_ptr<Blob> home = tenant->home();
    ranges.push_back(FdDescriptor{nullptr, writer.offset(), home->size()});
    if (absl::Status status = writer.Append(*home); !status.ok()) return status;
  }
  if (absl::Status status = writer.Flush(); !status.ok()) return status;
  if (absl::Status status = memory->Seal(absl::nullopt); !status.ok()) return status;

  FilledPack filled;
  filled.total_bytes = writer.offset();
  filled.homes.reserve(tenants.size());
  const auto descriptor = absl::get<FdDescriptor>(memory->Describe());
  for (FdDescriptor& range : ranges) {
    range.fd = descriptor.fd;
    filled.homes.push_back(std::make_shared<FdBlob>(std::move(range), /*writable=*/false,
                                                    /*declared=*/true));
  }
  return filled;
}

}  // namespace packice
