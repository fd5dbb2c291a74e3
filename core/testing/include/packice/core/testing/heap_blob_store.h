// Blobs on the heap: the plainest medium there is, with switches for what is hard to bring about on
// a real one. Thread-safe.
//
// A Mapping of a heap blob borrows the blob's bytes, yet has to be good when the blob is gone. So
// the bytes stay until the store and all of its blobs are gone: not for tests that write gigabytes.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/optional.h"
#include "packice/core/blob_store.h"
#include "packice/core/error.h"

namespace packice {

class HeapBlobStore final : public BlobStore {
 public:
  // Larger blobs are refused with `capacity`, before the heap does it less politely.
  static constexpr uint64_t kMaxBlobBytes = uint64_t{1} << 30;

  HeapBlobStore();
  ~HeapBlobStore() override;

  // The blobs may outlive the store. One without a size can be mapped (`unsupported`) only once it
  // is sealed, as it moves while it grows. They are described by a URL that nothing opens.
  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override;

  // Makes the next Create fail.
  void FailNextCreate(ErrorKind kind);

  // While `open`, Seal of any blob finds a writable mapping in its way and is `busy`.
  void PretendWritableMapping(bool open);

  // Blobs created and not destroyed yet.
  uint64_t live_blobs() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace packice
