// The one connection that changes the catalog, and the statements it does that with.
//
// Used by one thread at a time: the leader of a group commit. Every call blocks for the file
// system. After a failure of Begin, Commit or Broken() it is of no use any more: the owner rolls
// back, cuts the tail (CatalogTail) and opens another.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/core/object_id.h"
#include "packice/core/piece_sums.h"
#include "sqlite.h"

namespace packice {

class CatalogWriter {
 public:
  static absl::StatusOr<std::unique_ptr<CatalogWriter>> Open(const DataDirectory& directory);

  absl::Status Begin();
  absl::Status Commit();
  void Rollback();

  // The changes, between Begin and Commit. A failure that leaves the transaction as it was before
  // the call (`not_found`, `already_exists`) concerns that call alone; any other breaks the whole.
  absl::Status Add(const CatalogEntry& entry, absl::Span<const PieceSums> sums);
  absl::Status Remove(uint64_t serial);
  absl::Status Rename(uint64_t serial, absl::string_view id);
  absl::Status Quarantine(uint64_t serial, absl::string_view why, absl::Time now);
  absl::Status Forget(const BlobName& name);
  absl::Status StartBoot(absl::Time now, uint64_t* boot, bool* last_was_clean);
  // In a catalog without any: the number of the last start, which ended well.
  absl::Status SetBoot(uint64_t boot, absl::Time now);
  absl::Status EndBoot(uint64_t boot, absl::Time now);

  bool Broken() const { return broken_; }

  // Pages in the log after the last commit that wrote any; nothing before the first.
  absl::optional<uint64_t> log_frames() const { return log_frames_; }
  uint64_t page_bytes() const { return page_bytes_; }

  // Copies the log into the database, as far as readers let it; `truncate`: and empties the log.
  absl::Status Checkpoint(bool truncate);

 private:
  explicit CatalogWriter(SqliteDatabase database) : database_(std::move(database)) {}

  absl::Status Prepare();
  absl::Status Run(SqliteStatement& statement);
  absl::Status RunOn(SqliteStatement& statement, uint64_t serial);
  // Whether the last statement changed anything.
  bool Changed() const { return sqlite3_changes(database_.get()) > 0; }

  SqliteDatabase database_;
  SqliteStatement find_id_;
  SqliteStatement add_object_;
  SqliteStatement add_blob_;
  SqliteStatement list_removed_;
  SqliteStatement remove_blobs_;
  SqliteStatement remove_object_;
  SqliteStatement rename_;
  SqliteStatement quarantine_;
  SqliteStatement forget_;
  uint64_t page_bytes_ = 0;
  absl::optional<uint64_t> log_frames_;
  bool broken_ = false;
};

}  // namespace packice
