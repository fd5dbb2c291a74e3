// The tables of the catalog, and how they come to be. docs/formats.md says what is in them.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/backends/data_directory.h"
#include "sqlite.h"

namespace packice {

constexpr char kCatalogFile[] = "catalog.sqlite";
constexpr int kSerialBits = 40;  // of a serial, what counts within one start

// Opens the catalog for writing, with its tables; makes them in an empty file. `unsupported` for
// another version, `corrupt`, `capacity`, `io`.
absl::StatusOr<SqliteDatabase> OpenCatalogForWriting(const DataDirectory& directory);
// For reading only, beside a writer. Makes nothing.
absl::StatusOr<SqliteDatabase> OpenCatalogForReading(const DataDirectory& directory);

// For a look that changes neither the database nor its log, while no node has the directory.
absl::StatusOr<SqliteDatabase> OpenCatalogForChecking(const DataDirectory& directory);

// Makes catalog.sqlite, empty and with its name on disk, where there is none. `corrupt` when there
// are objects: then it has been lost.
absl::Status MakeCatalogFile(const DataDirectory& directory);

// `unsupported`; a database without tables passes, as version 0.
absl::StatusOr<int64_t> CheckCatalogVersion(SqliteDatabase& database);

// In the catalog a time is a number of nanoseconds since 1970 (UTC).
inline int64_t ToCatalogTime(absl::Time time) { return absl::ToUnixNanos(time); }
inline absl::Time FromCatalogTime(int64_t nanoseconds) { return absl::FromUnixNanos(nanoseconds); }

}  // namespace packice
