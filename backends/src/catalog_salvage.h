// What can still be read of a damaged catalog, and making a new one of it.
//
// Functions only; they block for the file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "sqlite.h"

namespace packice {

struct SalvagedCatalog {
  struct Entry {
    uint64_t serial = 0;
    std::string id;
    std::string metadata;
    absl::Time created_at;
    absl::Time sealed_at;
    absl::optional<absl::Time> expires_at;
    std::vector<CatalogBlob> blobs;
    std::vector<PieceSums> sums;
  };

  std::vector<Entry> entries;
  std::vector<BlobName> removed;
  uint64_t last_boot = 0;  // that left a trace in rows
};

// Every object whose rows can be read as a whole, by whatever way through the damaged tables leads
// there. Whether they are true is for the files and their checksums to say.
SalvagedCatalog SalvageCatalog(SqliteDatabase& damaged);

// Makes a catalog of it, where there is none now. Serials go on beyond `last_boot` and beyond those
// of the rows.
absl::Status RebuildCatalog(const DataDirectory& directory, const SalvagedCatalog& salvaged,
                            uint64_t last_boot, absl::Time now);

}  // namespace packice
