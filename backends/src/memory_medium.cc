#include "memory_medium.h"

#include "packice/backends/memfd_blob.h"
#include "packice/backends/temp_file_blob.h"
#include "packice/core/error.h"

namespace packice {

bool MemoryMedium::in_temp_files() {
  if (kind_.load(std::memory_order_relaxed) == Kind::kAuto) Make(0).IgnoreError();
  return kind_.load(std::memory_order_relaxed) == Kind::kTempFile;
}

absl::StatusOr<std::unique_ptr<Blob>> MemoryMedium::Make(absl::optional<uint64_t> size) {
  const Kind kind = kind_.load(std::memory_order_relaxed);
  if (kind != Kind::kTempFile) {
    absl::StatusOr<std::unique_ptr<Blob>> blob = MemfdBlob::Create(size);
    if (blob.ok() || kind == Kind::kMemfd) return blob;
    if (KindOf(blob.status()) != ErrorKind::kUnsupported) return blob;
    kind_.store(Kind::kTempFile, std::memory_order_relaxed);
  }
  return TempFileBlob::Create(size, temp_directory_);
}

}  // namespace packice
