// A blob whose bytes are streamed from and to an HTTP node, or from any server of files.
//
// Thread-safe as Blob asks; calls block on the network. Good while the lease is: but what the first
// read-only Map has downloaded stays.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "http_transfer.h"
#include "packice/core/blob.h"
#include "packice/core/mutex.h"

namespace packice {

class HttpBlob final : public Blob {
 public:
  struct Options {
    std::string target;  // of a node: "/leases/{lease_id}/blobs/{n}"
    uint64_t size = 0;
    bool writable = false;  // it is being created, and this process is its writer
    bool declared = true;   // its size was, or it is sealed
    PieceHash hash = nullptr;
    // Of a file of a server that is no node: it keeps no sums, and only this state of it is read.
    absl::optional<HttpVersion> version = {};
  };

  HttpBlob(std::shared_ptr<HttpTransfer> transfer, Options options);
  ~HttpBlob() override;

  uint64_t size() const override;
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  // Fetches whole pieces where they can be checked, and more than was asked for while reads follow
  // one another. `corrupt` when a piece differs from its sum twice.
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;
  // Only marks this process's view: the node has sealed the bytes.
  absl::Status Seal(absl::optional<uint64_t> size) override;
  // kReadOnly of a sealed blob: downloads it, once. Else `unsupported`.
  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  absl::StatusOr<PieceSums> Sums() const override;
  // A URL, or a descriptor of the bytes in memory once they are there.
  BlobDescriptor Describe() const override;

  // One that is all here, of its descriptor.
  static absl::StatusOr<std::shared_ptr<Blob>> InMemory(absl::string_view bytes);

 private:
  // Bytes of the blob from `offset` on.
  struct Chunk {
    uint64_t offset = 0;
    std::string bytes;
  };
  // What to fetch next: into the caller's buffer, or into a chunk.
  struct Plan {
    uint64_t offset = 0;
    uint64_t size = 0;
    bool direct = false;
  };

  std::shared_ptr<Blob> Local() const;
  absl::StatusOr<std::shared_ptr<Blob>> Download() const;
  // The sums to check against; null where there are none.
  absl::StatusOr<std::shared_ptr<const PieceSums>> CheckedSums() const;
  Plan PlanAt(uint64_t offset, uint64_t wanted, bool checked) const;
  // Fetches and checks. With sums, `offset` and the end are those of pieces.
  absl::Status Fetch(uint64_t offset, absl::Span<char> out, const PieceSums* sums) const;
  absl::Status FetchUnchecked(uint64_t offset, absl::Span<char> out) const;

  const std::shared_ptr<HttpTransfer> transfer_;
  const Options options_;
  std::atomic<uint64_t> size_;  // as declared, or as far as this process has written
  std::atomic<bool> sealed_;

  mutable Mutex download_mutex_;  // held while downloading, before mutex_
  mutable Mutex mutex_;
  mutable std::shared_ptr<Blob> local_ ABSL_GUARDED_BY(mutex_);
  mutable bool sums_known_ ABSL_GUARDED_BY(mutex_) = false;
  mutable std::shared_ptr<const PieceSums> sums_ ABSL_GUARDED_BY(mutex_);
  mutable std::shared_ptr<const Chunk> chunk_ ABSL_GUARDED_BY(mutex_);
  mutable uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;    // where a sequential reader goes on
  mutable uint64_t window_ ABSL_GUARDED_BY(mutex_) = 0;  // how much to fetch for one, bytes
};

}  // namespace packice
