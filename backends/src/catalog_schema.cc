#include "catalog_schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "directory_listing.h"
#include "packice/backends/blob_name.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice {
namespace {

constexpr int kVersion = 1;  // PRAGMA user_version

// A serial is a rowid, so new rows go to the end; only the index of ids is filled in any order.
constexpr char kSchema[] = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE objects(
  serial INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  sealed_at INTEGER NOT NULL,
  expires_at INTEGER,
  blobs INTEGER NOT NULL
) STRICT;
CREATE TABLE blobs(
  object INTEGER NOT NULL,
  n INTEGER NOT NULL,
  file INTEGER NOT NULL UNIQUE,
  shard INTEGER NOT NULL,
  size INTEGER NOT NULL,
  footprint INTEGER NOT NULL,
  sums BLOB NOT NULL,
  PRIMARY KEY(object, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE removed(file INTEGER PRIMARY KEY, shard INTEGER NOT NULL) STRICT;
CREATE TABLE quarantined(
  serial INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  metadata TEXT NOT NULL,
  why TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE boots(boot INTEGER PRIMARY KEY, started_at INTEGER NOT NULL, ended_at INTEGER) STRICT;
CREATE VIEW listing AS
  SELECT CAST(id AS TEXT) AS id, (SELECT sum(size) FROM blobs WHERE object = serial) AS size,
         datetime(sealed_at / 1000000000, 'unixepoch') AS sealed,
         datetime(expires_at / 1000000000, 'unixepoch') AS expires, metadata
  FROM objects;
CREATE VIEW files AS
  SELECT CAST(id AS TEXT) AS id, n, printf('objects/%02x/%016x', shard, file) AS path, size
  FROM objects JOIN blobs ON object = serial;
PRAGMA application_id = 0x5061636b;
PRAGMA user_version = 1;
COMMIT;
)sql";

// SQLite goes by the path, we by a descriptor: `io` when they do not lead to the same file any
// more.
absl::Status CheckSameFile(const DataDirectory& directory) {
  struct stat ours;
  struct stat named;
  if (fstatat(directory.fd(), kCatalogFile, &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
      lstat(directory.PathOf(kCatalogFile).c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
      ours.st_ino == named.st_ino) {
    return absl::OkStatus();
  }
  return MakeError(ErrorKind::kIo, absl::StrCat(directory.PathOf(kCatalogFile),
                                                " is gone from its place; bring the directory "
                                                "back"));
}

absl::StatusOr<SqliteDatabase> OpenDatabase(const DataDirectory& directory, int access) {
  if (absl::Status status = CheckSameFile(directory); !status.ok()) return status;
  return SqliteDatabase::Open(directory.PathOf(kCatalogFile), access | SQLITE_OPEN_NOFOLLOW);
}

}  // namespace

absl::Status MakeCatalogFile(const DataDirectory& directory) {
  struct stat info;
  if (fstatat(directory.fd(), kCatalogFile, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISREG(info.st_mode)) return absl::OkStatus();
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat(directory.PathOf(kCatalogFile), " is no regular file"));
  }
  if (errno != ENOENT) return ErrnoError(errno, "cannot look at the catalog");
  for (int shard = 0; shard < DataDirectory::kShards; ++shard) {
    absl::Status status = ListDirectory(
        directory.fd(), BlobName::ShardDirectory(static_cast<uint8_t>(shard)),
        [&](const DirectoryEntry&) {
          return MakeError(ErrorKind::kCorrupt,
                           absl::StrCat(directory.path(), " has objects but no ", kCatalogFile,
                                        "; bring it back, or run packice fsck --repair, which "
                                        "sets the objects aside"));
        });
    if (!status.ok()) return status;
  }
  const UniqueFd fd(
      openat(directory.fd(), kCatalogFile, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot make ", kCatalogFile));
  return directory.SyncDirectory("");
}

absl::StatusOr<int64_t> CheckCatalogVersion(SqliteDatabase& database) {
  absl::StatusOr<int64_t> version = database.Number("PRAGMA user_version");
  if (!version.ok() || *version == 0 || *version == kVersion) return version;
  return MakeError(ErrorKind::kUnsupported,
                   absl::StrCat("the catalog has version ", *version, ", and this program knows ",
                                kVersion, ": use the program that wrote it"));
}

absl::StatusOr<SqliteDatabase> OpenCatalogForWriting(const DataDirectory& directory) {
  absl::StatusOr<SqliteDatabase> database = OpenDatabase(directory, SQLITE_OPEN_READWRITE);
  if (!database.ok()) return database;
  absl::StatusOr<int64_t> version = CheckCatalogVersion(*database);
  if (!version.ok()) return version.status();
  // In this order: the journal's mode is kept in the file, the others belong to the connection.
  for (const char* pragma :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA cache_size = -8192", "PRAGMA temp_store = MEMORY"}) {
    if (absl::Status status = database->Execute(pragma); !status.ok()) return status;
  }
  if (*version == 0) {
    if (absl::Status status = database->Execute(kSchema); !status.ok()) return status;
  }
  return database;
}

absl::StatusOr<SqliteDatabase> OpenCatalogForReading(const DataDirectory& directory) {
  absl::StatusOr<SqliteDatabase> database = OpenDatabase(directory, SQLITE_OPEN_READWRITE);
  if (!database.ok()) return database;
  if (absl::Status status = database->Execute("PRAGMA query_only = 1"); !status.ok()) {
    return status;
  }
  return database;
}

absl::StatusOr<SqliteDatabase> OpenCatalogForChecking(const DataDirectory& directory) {
  return OpenDatabase(directory, SQLITE_OPEN_READONLY);
}

}  // namespace packice
