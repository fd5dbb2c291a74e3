// What a memory blob is made of: memfds, or temporary files where there are none. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/blob.h"

namespace packice {

class MemoryMedium {
 public:
  using Kind = MemoryBlobStoreOptions::Medium;

  MemoryMedium(Kind kind, std::string temp_directory)
      : kind_(kind), temp_directory_(std::move(temp_directory)) {}

  // As MemfdBlob::Create or TempFileBlob::Create.
  absl::StatusOr<std::unique_ptr<Blob>> Make(absl::optional<uint64_t> size);

  // Whether there is no memfd, asked for or found out: by a trial, where nothing was made yet.
  bool in_temp_files();

 private:
  // kAuto until it has found that there is no memfd; then kTempFile.
  std::atomic<Kind> kind_;
  const std::string temp_directory_;
};

}  // namespace packice
