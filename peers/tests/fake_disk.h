// A disk that tests can look into, stop, fill up and break: files for blobs, and an archive that
// remembers which of them are objects. It outlives the peers that live on it, as a disk does, so
// that the next one finds what the last one committed.
//
// Thread-safe. Stores, archives and blobs refer to their disk, which outlives them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "gate.h"
#include "packice/core/blob_store.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "packice/peers/archive.h"

namespace packice {

class FakeDisk {
 public:
  struct File {
    std::string bytes;
    bool sealed = false;
    size_t sum = 0;  // once sealed
  };
  struct Row {
    ObjectId id;
    Metadata metadata;
    absl::Time created_at;
    absl::Time sealed_at;
    absl::optional<absl::Time> expires_at;
    std::vector<uint64_t> files;
    std::vector<uint64_t> sizes;  // bytes, as sealed
  };

  // To be handed to one peer each.
  std::unique_ptr<BlobStore> MakeStore();
  std::unique_ptr<Archive> MakeArchive();

  // What the archive is told, in order: "add a", "remove a", "rename a b", "quarantine a".
  std::vector<std::string> log() const;
  // By id, what a peer would find that is started now.
  std::map<std::string, Row> rows() const;
  size_t files() const;

  // Everything that is asked of the archive from now on fails so, until it does not; the next
  // `count` only, where that is given.
  void Break(absl::optional<ErrorKind> kind, int count = 1 << 30);
  // The same for Create.
  void BreakCreate(absl::optional<ErrorKind> kind, int count = 1 << 30);
  // Bytes that all files together may have; Create is `capacity` beyond.
  void SetRoom(uint64_t bytes);

  // What happens to a file that nobody looks after.
  void LoseFile(absl::string_view id);
  void CutFile(absl::string_view id);
  void FlipByte(absl::string_view id);

  Gate add;
  Gate remove;
  Gate rename;
  Gate check;

 private:
  friend class FakeFileBlob;
  friend class FakeBlobStore;
  friend class FakeArchive;

  absl::Status Failure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  File& FileOf(absl::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Log(absl::string_view what, uint64_t serial, absl::string_view more = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<uint64_t, File> files_ ABSL_GUARDED_BY(mutex_);
  // By serial: those that are there, and all that ever were.
  std::map<uint64_t, Row> rows_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Row> added_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> log_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_file_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t room_ ABSL_GUARDED_BY(mutex_) = uint64_t{1} << 40;
  absl::optional<ErrorKind> broken_ ABSL_GUARDED_BY(mutex_);
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::optional<ErrorKind> create_broken_ ABSL_GUARDED_BY(mutex_);
  int create_failures_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
