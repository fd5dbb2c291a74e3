// Reading the catalog's log (SQLite's -wal file) as SQLite's recovery would, to tell how it ends.
//
// The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
// Functions only; they block for the file system.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace packice {

struct CatalogLogEnd {
  uint64_t good_bytes = 0;  // up to the end of the last whole commit
  // What follows is the beginning of a commit that was cut off, or damaged; here is how it looks.
  // Empty when nothing follows but what an earlier round of the log left.
  std::string torn;
};

// Of the open file `fd`. `io`.
absl::StatusOr<CatalogLogEnd> FindCatalogLogEnd(int fd);

}  // namespace packice
