// One run of Fsck: what it looks at, step by step, and what it has found.
//
// Used by one thread. The steps come in the order in which they are declared: each relies on what
// those before it have repaired.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/backends/fsck.h"
#include "packice/core/clock.h"
#include "sqlite.h"

namespace packice {

class FsckRun {
 public:
  FsckRun(const DataDirectory& directory, const FsckOptions& options, const Clock& clock)
      : directory_(directory), options_(options), clock_(clock) {}

  absl::StatusOr<FsckReport> Run();

 private:
  // The name of a file in objects/: shard and number.
  using FileKey = std::pair<uint8_t, uint64_t>;

  // fsck_catalog.cc
  absl::Status CheckLog();
  absl::Status CheckCatalog();
  absl::Status SalvageCatalogAside(const std::string& what);
  absl::StatusOr<uint64_t> LastBootOfFiles();
  absl::Status CopyLogAside(absl::string_view why);
  void RemoveTraces();

  // fsck_objects.cc
  absl::Status CheckObjects();
  absl::Status CheckObject(const CatalogEntry& entry, SqliteStatement& sums);
  absl::Status CheckBlob(const CatalogBlob& blob, SqliteStatement& sums);
  absl::Status SetObjectsAside();

  // fsck_files.cc
  absl::Status CheckTop();
  absl::Status CheckAttachments();
  absl::Status CheckRemovals();
  absl::Status CheckShards();

  Finding& Add(FindingKind kind, std::string path, std::string detail);
  // Adds a finding and, on repair, sets the file aside.
  absl::Status AddAndSetAside(FindingKind kind, const std::string& path, std::string detail);
  // Adds a finding and, on repair, unlinks the file.
  absl::Status AddAndUnlink(FindingKind kind, const std::string& path, std::string detail);

  struct DamagedObject {
    std::vector<BlobName> files;
    std::vector<size_t> findings;  // indices
  };

  const DataDirectory& directory_;
  const FsckOptions options_;
  const Clock& clock_;
  FsckReport report_;
  bool catalog_readable_ = false;
  bool had_log_ = false;
  bool had_index_ = false;
  absl::flat_hash_set<FileKey> known_;
  absl::flat_hash_map<uint64_t, DamagedObject> damaged_;  // by serial
};

}  // namespace packice
