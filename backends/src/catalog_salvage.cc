#include "catalog_salvage.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "catalog_reader.h"
#include "catalog_schema.h"
#include "catalog_writer.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Ways to the serials: forwards and backwards through each tree that has them, as far as each goes.
constexpr const char* kWays[] = {
    "SELECT serial FROM objects ORDER BY serial",
    "SELECT serial FROM objects ORDER BY serial DESC",
    "SELECT serial FROM objects INDEXED BY sqlite_autoindex_objects_1 ORDER BY id",
    "SELECT serial FROM objects INDEXED BY sqlite_autoindex_objects_1 ORDER BY id DESC",
    "SELECT object FROM blobs ORDER BY object, n",
    "SELECT object FROM blobs ORDER BY object DESC, n DESC",
};

// Calls `visit` for each row that can be read; the first failure ends it.
void ReadAsFarAsItGoes(SqliteDatabase& database, const char* sql,
                       absl::FunctionRef<void(const SqliteStatement&)> visit) {
  absl::StatusOr<SqliteStatement> rows = database.Prepare(sql);
  if (!rows.ok()) return;
  absl::StatusOr<bool> row = rows->Step();
  for (; row.ok() && *row; row = rows->Step()) visit(*rows);
}

// One object's rows; false when one cannot be read or is missing.
bool ReadEntry(SqliteStatement& object, SqliteStatement& blobs, uint64_t serial,
               SalvagedCatalog::Entry& entry) {
  object.Reset();
  object.Bind(1, static_cast<int64_t>(serial));
  absl::StatusOr<bool> row = object.Step();
  if (!row.ok() || !*row) return false;
  entry.serial = serial;
  entry.id = std::string(object.Bytes(0));
  entry.metadata = std::string(object.Bytes(1));
  entry.created_at = FromCatalogTime(object.Number(2));
  entry.sealed_at = FromCatalogTime(object.Number(3));
  if (!object.IsNull(4)) entry.expires_at = FromCatalogTime(object.Number(4));
  const size_t expected = static_cast<size_t>(object.Number(5));

  blobs.Reset();
  blobs.Bind(1, static_cast<int64_t>(serial));
  for (row = blobs.Step(); row.ok() && *row; row = blobs.Step()) {
    absl::StatusOr<PieceSums> sums = SumsFromBytes(blobs.Bytes(5));
    if (!sums.ok() || blobs.Number(0) != static_cast<int64_t>(entry.blobs.size())) return false;
    const BlobName name{static_cast<uint64_t>(blobs.Number(1)),
                        static_cast<uint8_t>(blobs.Number(2))};
    entry.blobs.push_back(
        {name, static_cast<uint64_t>(blobs.Number(3)), static_cast<uint64_t>(blobs.Number(4))});
    entry.sums.push_back(*std::move(sums));
  }
  return row.ok() && entry.blobs.size() == expected && ObjectId::Parse(entry.id).ok();
}

}  // namespace

SalvagedCatalog SalvageCatalog(SqliteDatabase& damaged) {
  SalvagedCatalog salvaged;
  ReadAsFarAsItGoes(damaged, "SELECT max(boot) FROM boots", [&](const SqliteStatement& row) {
    salvaged.last_boot = static_cast<uint64_t>(row.Number(0));
  });
  ReadAsFarAsItGoes(damaged, "SELECT file, shard FROM removed", [&](const SqliteStatement& row) {
    salvaged.removed.push_back(
        {static_cast<uint64_t>(row.Number(0)), static_cast<uint8_t>(row.Number(1))});
  });
  std::set<uint64_t> serials;
  for (const char* way : kWays) {
    ReadAsFarAsItGoes(damaged, way, [&](const SqliteStatement& row) {
      serials.insert(static_cast<uint64_t>(row.Number(0)));
    });
  }
  absl::StatusOr<SqliteStatement> object = damaged.Prepare(
      "SELECT id, metadata, created_at, sealed_at, expires_at, blobs FROM objects "
      "WHERE serial = ?1");
  absl::StatusOr<SqliteStatement> blobs = damaged.Prepare(
      "SELECT n, file, shard, size, footprint, sums FROM blobs WHERE object = ?1 ORDER BY n");
  if (!object.ok() || !blobs.ok()) return salvaged;
  std::set<std::string> ids;
  std::set<uint64_t> files;
  // The latest first: of two rows that claim one id or file, it is the one to keep.
  for (auto serial = serials.rbegin(); serial != serials.rend(); ++serial) {
    SalvagedCatalog::Entry entry;
    if (!ReadEntry(*object, *blobs, *serial, entry)) continue;
    bool unique = ids.insert(entry.id).second;
    for (const CatalogBlob& blob : entry.blobs) unique &= files.insert(blob.name.number).second;
    if (unique) salvaged.entries.push_back(std::move(entry));
  }
  return salvaged;
}

absl::Status RebuildCatalog(const DataDirectory& directory, const SalvagedCatalog& salvaged,
                            uint64_t last_boot, absl::Time now) {
  {
    const UniqueFd fd(
        openat(directory.fd(), kCatalogFile, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return ErrnoError(errno, absl::StrCat("cannot make ", kCatalogFile));
  }
  if (absl::Status status = directory.SyncDirectory(""); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Begin(); !status.ok()) return status;
  last_boot = std::max(last_boot, salvaged.last_boot);
  for (const SalvagedCatalog::Entry& entry : salvaged.entries) {
    last_boot = std::max(last_boot, entry.serial >> kSerialBits);
    CatalogEntry row;
    row.serial = entry.serial;
    row.id = entry.id;
    row.metadata = entry.metadata;
    row.created_at = entry.created_at;
    row.sealed_at = entry.sealed_at;
    row.expires_at = entry.expires_at;
    row.blobs = entry.blobs;
    if (absl::Status status = (*writer)->Add(row, entry.sums); !status.ok()) return status;
  }
  if (absl::Status status = (*writer)->SetBoot(last_boot, now); !status.ok()) return status;
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return (*writer)->Checkpoint(/*truncate=*/true);
}

}  // namespace packice
