// What a node does with its data directory before it serves, and the slower look that may follow
// while it serves.
//
// Functions only; they block for the file system.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/core/clock.h"

namespace packice {

struct RecoveryReport {
  bool last_shutdown_was_clean = true;
  uint64_t finished_removals = 0;   // files of removed objects that were still there
  uint64_t unfinished_creates = 0;  // files in attachments/ that were deleted
  uint64_t set_aside = 0;           // files in attachments/ that are no attachments
};

// Finishes what the last run left half done: unlinks the files of removed objects, clears
// attachments/. Must end before the first create. Doing it twice changes nothing more.
absl::StatusOr<RecoveryReport> Recover(const DataDirectory& directory, Catalog& catalog,
                                       const Clock& clock);

struct ScanReport {
  uint64_t objects = 0;
  uint64_t damaged_objects = 0;
  uint64_t orphans = 0;  // files without an object, set aside
};

// Compares objects/ with the catalog, by names and sizes, while the node may serve and change both.
// Files of no object go to quarantine/. Objects with a missing file, or one of the wrong size, are
// told to `damaged` (serial, why), which may change the catalog. Files made by the running node are
// left alone. Stops early, with what there is, when `stop` is set.
absl::StatusOr<ScanReport> Scan(
    const DataDirectory& directory, const Catalog& catalog, const Clock& clock,
    const std::atomic<bool>& stop,
    absl::FunctionRef<void(uint64_t serial, absl::string_view why)> damaged);

}  // namespace packice
