// The directory that a durable node lives in: its layout, its format file and its lock.
//
//   packice.format     "packice 1": the version of all below, and a line for people
//   lock               flock(2)ed by whoever has the directory; holds its process id
//   catalog.sqlite     the catalog (with -wal and -shm beside it; catalog.h)
//   attachments/       files that are being written (blob_name.h)
//   objects/00 .. ff/  files of sealed blobs, read-only
//   quarantine/        what was set aside, each with a .why beside it (quarantine.h)
//
// Owned by the node that lives there, which has it for itself until this goes. Thread-safe. Calls
// block for the file system.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/unique_fd.h"

namespace packice {

class DataDirectory {
 public:
  static constexpr int kVersion = 1;
  static constexpr int kShards = 256;

  // Opens the data directory `path`, or makes one where there is none or an empty one; all that is
  // made is on disk when this returns, up to the parent of a new directory. `busy` while another
  // node or fsck has it (the message names the process); `unsupported` for another version of the
  // format; `invalid_argument` when there is something else at `path`, or in the place of one of
  // the parts; `permission_denied`, `capacity`, `io`.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(absl::string_view path);

  // The same, but makes nothing: `not_found` where there is no data directory.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> OpenExisting(absl::string_view path);

  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  // Absolute and free of symbolic links.
  const std::string& path() const { return path_; }
  // Open for as long as this lives: what the openat(2) family takes.
  int fd() const { return directory_.get(); }
  // "/data/objects/a7/...": what other processes and SQLite are given.
  std::string PathOf(absl::string_view relative) const;

  // fsync(2) of a directory in here, "" for the data directory itself. `io`.
  absl::Status SyncDirectory(const std::string& relative) const;
  // Of objects/<shard>/.
  absl::Status SyncShard(uint8_t shard) const;

 private:
  DataDirectory(std::string path, UniqueFd directory, UniqueFd lock)
      : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(absl::string_view path, bool create);

  const std::string path_;
  const UniqueFd directory_;
  const UniqueFd lock_;
};

}  // namespace packice
