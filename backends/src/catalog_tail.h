// Where the catalog's log (SQLite's -wal file) ends for good, and cutting off what a failed commit
// left behind it.
//
// A commit whose sync fails may have written all its frames, checksums and all. SQLite forgets
// them, but after a crash its recovery would find them whole: a change that was answered with a
// failure would be back. So they are made invalid before the failure is answered.
//
// Owned by the connection's owner, used by one thread at a time. Blocks for the file system.
// The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "packice/core/unique_fd.h"

namespace packice {

class CatalogTail {
 public:
  // `wal_path` is where SQLite has the log, for a database with pages of `page_bytes`.
  CatalogTail(std::string wal_path, uint64_t page_bytes)
      : wal_path_(std::move(wal_path)), page_bytes_(page_bytes) {}

  // A commit has succeeded, and the log holds `frames` (sqlite3_wal_hook()).
  void Committed(uint64_t frames);

  // Makes all behind the last commit invalid, on disk. May be called again where it fails: it then
  // writes anew, and does not only sync again. `io`.
  absl::Status Cut();

 private:
  const std::string wal_path_;
  const uint64_t page_bytes_;
  uint64_t frames_ = 0;
  UniqueFd log_;  // for reading, as of the last commit
  // The salts in the log's header; they change when SQLite begins it anew.
  absl::optional<uint64_t> salts_;
  // The last Cut did not reach the disk.
  bool doubtful_ = false;
};

}  // namespace packice
