// Looks for damage in a data directory that no node is using, and on request sets it aside.
//
// A function; it blocks for the file system, and with `bytes` reads all there is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "packice/core/clock.h"
#include "packice/core/object_id.h"

namespace packice {

enum class FindingKind {
  kTornCatalogTail,    // the catalog's log ends in a commit that was cut off
  kDamagedCatalog,     // the catalog is no database, or not whole
  kMissingFile,        // an object's file is not there
  kWrongSize,          // an object's file is shorter or longer than it was sealed
  kFlippedBits,        // an object's bytes do not have their checksums
  kOrphanFile,         // a file in objects/ that belongs to no object
  kUnfinishedCreate,   // a file in attachments/ that was never sealed
  kUnfinishedRemoval,  // the file of a removed object
  kUnknownFile,        // anything else
};

// "torn_catalog_tail", as JSON has it.
absl::string_view NameOf(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kUnknownFile;
  std::string path;    // relative to the data directory
  ObjectId object_id;  // empty where the finding is about no object
  std::string detail;  // for people
  bool repaired = false;
};

struct FsckOptions {
  bool repair = false;
  bool bytes = true;  // read every byte and compare checksums
};

struct FsckReport {
  uint64_t objects = 0;
  uint64_t bytes = 0;  // of their blobs
  std::vector<Finding> findings;
};

// Without `repair` nothing in the directory changes. With it, damaged objects and files that belong
// nowhere go to quarantine/, leftovers are cleared, the rows of a damaged catalog that can be read
// go into a new one; a second run then finds nothing. `busy` while a node has the directory;
// `not_found`, `unsupported`, `invalid_argument` as DataDirectory::OpenExisting; `capacity`, `io`.
absl::StatusOr<FsckReport> Fsck(absl::string_view path, const FsckOptions& options,
                                const Clock& clock);

}  // namespace packice
