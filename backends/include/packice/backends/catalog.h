// The durable record of what a node holds: an SQLite database in the data directory, which any
// sqlite3 shell can read (docs/formats.md has the schema).
//
// Owned by the node; blobs may share it. Thread-safe. A change blocks until it is on disk. Changes
// that come at the same time are one transaction (group commit): a caller queues its change, and
// whoever finds nobody committing commits all that is queued, in the order of the calls. No thread
// is started.
//
// WAL, synchronous=FULL: an answered change survives power loss. A change that failed is not there,
// now or after a crash: what it left in the log is cut off before the failure is answered. Only
// when that fails, too, is the outcome open until the fault is over; the message says so, and
// every later change first tries again. After a fault the catalog goes on without being reopened
// by its owner.
//
// Errors: `capacity` when the disk is full, `io` when it fails, is read-only or went away,
// `corrupt` when the catalog is damaged (the message has the way out).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/data_directory.h"
#include "packice/core/clock.h"
#include "packice/core/object_id.h"
#include "packice/core/piece_sums.h"

namespace packice {

// One blob of an object, without its sums.
struct CatalogBlob {
  BlobName name;
  uint64_t size = 0;       // bytes
  uint64_t footprint = 0;  // bytes of disk
};

// One sealed object, without sums.
struct CatalogEntry {
  uint64_t serial = 0;
  absl::string_view id;
  absl::string_view metadata;  // JSON text (metadata_text.h)
  absl::Time created_at;
  absl::Time sealed_at;
  absl::optional<absl::Time> expires_at;
  absl::Span<const CatalogBlob> blobs;  // in order
};

class Catalog {
 public:
  // Opens the catalog of `directory`, or makes it where the directory has no objects either;
  // `corrupt` when only the catalog is missing. Times are kept to the nanosecond. Starts a new run
  // of serials, which is durable. Both arguments must outlive this.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(const DataDirectory& directory,
                                                       const Clock& clock);
  virtual ~Catalog() = default;

  // Serials from here on have never been used: the number of this start << 40.
  virtual uint64_t FirstSerial() const = 0;
  // Whether the catalog was closed by CloseCleanly the last time; true for a new one.
  virtual bool LastShutdownWasClean() const = 0;

  // Takes in an object; `sums` in the order of its blobs. An object of the same id goes, as if by
  // Remove, in the same transaction.
  virtual absl::Status Add(const CatalogEntry& entry, absl::Span<const PieceSums> sums) = 0;

  // Takes an object out. Its files stay listed as removed until Forget, so that a crash before
  // they are unlinked leaves nothing behind. `not_found`.
  virtual absl::Status Remove(uint64_t serial) = 0;

  // Gives an object another id; its files keep their names. `not_found`, `already_exists`.
  virtual absl::Status Rename(uint64_t serial, const ObjectId& to) = 0;

  // Takes out a damaged object and records why. Its files are for the caller to set aside
  // (quarantine.h); those that stay behind are orphans. `not_found`.
  virtual absl::Status Quarantine(uint64_t serial, absl::string_view why) = 0;

  // The file of a removed object has been unlinked. Does not block: goes to disk with a later
  // change, once the directory of the file has been synced.
  virtual void Forget(const BlobName& name) = 0;

  // Calls `visit` with every object, in the order of serials. What it is given is valid during the
  // call. Changes meanwhile may or may not be seen; `visit` must make none.
  virtual absl::Status ForEach(absl::FunctionRef<void(const CatalogEntry&)> visit) const = 0;
  // The same for the files of removed objects.
  virtual absl::Status ForEachRemoved(absl::FunctionRef<void(const BlobName&)> visit) const = 0;

  // `not_found`, `corrupt`.
  virtual absl::StatusOr<PieceSums> Sums(const BlobName& name) const = 0;

  // Whether a file belongs to an object, or to a removed one that may still be read.
  virtual absl::StatusOr<bool> Knows(const BlobName& name) const = 0;

  // Records that nothing was left half done. To be called last: no change is taken afterwards
  // (`unavailable`).
  virtual absl::Status CloseCleanly() = 0;
};

}  // namespace packice
