// A blob in a file of a data directory: written privately, made durable by Seal, then read-only.
//
// Shared by the objects that list it; its file goes with it unless Keep was called. Thread-safe as
// Blob asks. Calls block for the file system; Seal for as long as the disk takes.
//
// Writers are this process, by Write and Map, and whoever was told the path (Describe), who may
// also put another file in its place. So Seal takes what the path names then: one regular file
// with one name. While any process has it open for writing, or maps it so, Seal is `busy`
// (fcntl(2), F_SETLEASE; a file system without leases lets that pass). Afterwards its mode lets
// nobody but root open it for writing.
//
// What is sealed is on disk, under its final name, before Seal returns; that an object has it is
// for the catalog to say, so a file without a row is no object. A failed fsync(2) is never tried
// again, because the kernel then has marked the pages clean that it could not write: such a blob
// is given up, and every later Seal of it is `io`.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/data_directory.h"
#include "packice/core/blob.h"
#include "packice/core/fd_blob.h"
#include "packice/core/mutex.h"

namespace packice {

// What the blobs of a store call, on any thread, as long as one of them lives. Either may be empty.
struct FileBlobHooks {
  // The sums of a blob that was sealed before this process started.
  std::function<absl::StatusOr<PieceSums>(const BlobName&)> sums;
  // The file of a sealed blob was just unlinked. Must not block for long.
  std::function<void(const BlobName&)> unlinked;
};

class FileBlob final : public Blob {
 public:
  // What a FileBlobStore gives each.
  struct Home {
    std::shared_ptr<const DataDirectory> directory;
    FileBlobHooks hooks;
  };

  // An empty one to be written: BlobStore::Create has the rules.
  static absl::StatusOr<std::unique_ptr<FileBlob>> Create(std::shared_ptr<const Home> home,
                                                          BlobName name,
                                                          absl::optional<uint64_t> size);
  // One that was sealed before, and that is kept. No I/O.
  FileBlob(std::shared_ptr<const Home> home, BlobName name, uint64_t size, uint64_t footprint);
  ~FileBlob() override;

  const BlobName& name() const { return name_; }

  uint64_t size() const override;
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  // Once sealed, the blocks that the file takes up.
  uint64_t footprint() const override;

  // Of a sealed blob: opens the file for the length of the call.
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;

  // Beyond what Blob::Seal says: `busy` while a process has the file open for writing, and when the
  // file is shorter or longer than declared; `corrupt` when the path names no regular file of its
  // own any more; `permission_denied` when it is sealed already; `capacity`; `io`.
  absl::Status Seal(absl::optional<uint64_t> size) override;

  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  absl::StatusOr<PieceSums> Sums() const override;
  // A PathDescriptor: absolute.
  BlobDescriptor Describe() const override;

  // The sealed file, open for reading: what is passed to a client that cannot reach the path. `io`.
  absl::StatusOr<UniqueFd> OpenForReading() const;

  // Requires: sealed. Whether the file is there and as long as it should be; `thoroughly`: and
  // whether every piece has its checksum. `corrupt` (the message says what is wrong), `io`.
  absl::Status Verify(bool thoroughly) const;

  // Whether the file stays when this goes. A new blob is dropped, because nothing lists it yet; one
  // that the catalog lists is kept until it is taken out of there. Nothing happens on disk now.
  void Keep() { fate_.store(Fate::kKept, std::memory_order_release); }
  // Requires: Keep was called, or it was opened.
  void Drop() { fate_.store(Fate::kDropped, std::memory_order_release); }

 private:
  enum class Fate : uint8_t { kUnlisted, kKept, kDropped };

  FileBlob(std::shared_ptr<const Home> home, BlobName name, absl::optional<uint64_t> declared,
           UniqueFd writer);

  // Where the file is, in the directory.
  std::string Relative() const;
  // The one writing descriptor of an unsealed blob; opened again by path after a Seal that failed.
  absl::StatusOr<std::shared_ptr<const UniqueFd>> Writer() const;
  // The steps of Seal, in order; `fd` is open for reading.
  absl::Status SetFinalSize(int fd, uint64_t size);
  absl::Status Freeze(int fd, uint64_t size);
  absl::Status MakeDurable(int fd, uint64_t size);
  // Gives the blocks it takes up, of 512 bytes.
  absl::StatusOr<uint64_t> Sync(int fd) const;

  const std::shared_ptr<const Home> home_;
  const BlobName name_;
  const absl::optional<uint64_t> declared_;
  std::atomic<bool> sealed_;
  std::atomic<Fate> fate_;
  std::atomic<uint64_t> size_;       // once sealed
  std::atomic<uint64_t> footprint_;  // once sealed

  mutable Mutex mutex_;
  mutable std::shared_ptr<const UniqueFd> writer_ ABSL_GUARDED_BY(mutex_);
  // From attachments/ to objects/, which Seal does before the blob is sealed.
  bool renamed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status given_up_ ABSL_GUARDED_BY(mutex_);
  absl::optional<PieceSums> sums_ ABSL_GUARDED_BY(mutex_);  // of one sealed in this process
};

}  // namespace packice
