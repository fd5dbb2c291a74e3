// Reads of the catalog, on connections of their own beside the writer's.
//
// Thread-safe: ForEach opens a connection for itself, the others take turns on one. All calls block
// for the file system.
#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/core/mutex.h"
#include "packice/core/piece_sums.h"
#include "sqlite.h"

namespace packice {

class CatalogReader {
 public:
  explicit CatalogReader(const DataDirectory& directory) : directory_(directory) {}

  // Opens the connection that stays: with one open, SQLite keeps its index of the log, which it
  // could not make anew on a full disk.
  absl::Status Connect() const;

  // As Catalog has them.
  absl::Status ForEach(absl::FunctionRef<void(const CatalogEntry&)> visit) const;
  absl::Status ForEachRemoved(absl::FunctionRef<void(const BlobName&)> visit) const;
  absl::StatusOr<PieceSums> Sums(const BlobName& name) const;
  absl::StatusOr<bool> Knows(const BlobName& name) const;

 private:
  struct Connection {
    SqliteDatabase database;
    SqliteStatement sums;
    SqliteStatement knows;
  };

  absl::StatusOr<Connection*> Connected() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DataDirectory& directory_;
  mutable Mutex mutex_;
  // Opened when it is needed, and anew after a failure.
  mutable absl::optional<Connection> connection_ ABSL_GUARDED_BY(mutex_);
};

// ForEach on any database with the catalog's tables.
absl::Status VisitCatalog(SqliteDatabase& database,
                          absl::FunctionRef<void(const CatalogEntry&)> visit);

// From a column: `corrupt` where it is not a whole number of sums.
absl::StatusOr<PieceSums> SumsFromBytes(absl::string_view bytes);

}  // namespace packice
