// Fsck's look at the catalog and its log.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "catalog_log.h"
#include "catalog_salvage.h"
#include "catalog_schema.h"
#include "catalog_writer.h"
#include "directory_listing.h"
#include "fsck_run.h"
#include "packice/backends/quarantine.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr char kLog[] = "catalog.sqlite-wal";
constexpr char kLogIndex[] = "catalog.sqlite-shm";
constexpr char kLogCopy[] = "catalog.sqlite-wal.copy";

bool Exists(const DataDirectory& directory, const char* relative) {
  return faccessat(directory.fd(), relative, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// What SQLite's own check has to say; empty when all is well.
absl::StatusOr<std::string> Examine(SqliteDatabase& database) {
  absl::StatusOr<int64_t> version = CheckCatalogVersion(database);
  if (!version.ok()) {
    if (KindOf(version.status()) == ErrorKind::kUnsupported) return version.status();
    return std::string(version.status().message());
  }
  absl::StatusOr<SqliteStatement> check = database.Prepare("PRAGMA integrity_check(3)");
  std::string complaints;
  absl::Status status = check.status();
  if (check.ok()) {
    absl::StatusOr<bool> row = check->Step();
    for (; row.ok() && *row; row = check->Step()) {
      const absl::string_view line = check->Bytes(0);
      if (line != "ok") absl::StrAppend(&complaints, complaints.empty() ? "" : "; ", line);
    }
    status = row.status();
  }
  if (status.ok() || !complaints.empty()) return complaints;
  if (KindOf(status) == ErrorKind::kCorrupt) return std::string(status.message());
  return status;
}

}  // namespace

absl::Status FsckRun::CheckLog() {
  had_log_ = Exists(directory_, kLog);
  had_index_ = Exists(directory_, kLogIndex);
  if (!had_log_) return absl::OkStatus();
  CatalogLogEnd end;
  {
    const UniqueFd fd(openat(directory_.fd(), kLog, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return ErrnoError(errno, absl::StrCat("cannot open ", kLog));
    absl::StatusOr<CatalogLogEnd> found = FindCatalogLogEnd(fd.get());
    if (!found.ok()) return found.status();
    end = *std::move(found);
  }
  if (end.torn.empty()) return absl::OkStatus();
  const size_t index = report_.findings.size();
  Add(FindingKind::kTornCatalogTail, kLog,
      absl::StrCat("after ", end.good_bytes, " good bytes ", end.torn,
                   "; what was cut off was never answered"));
  if (!options_.repair) return absl::OkStatus();
  if (absl::Status status = CopyLogAside(report_.findings[index].detail); !status.ok()) {
    return status;
  }
  report_.findings[index].repaired = true;  // by CheckCatalog, which empties the log
  return absl::OkStatus();
}

absl::Status FsckRun::CopyLogAside(absl::string_view why) {
  {
    const UniqueFd from(openat(directory_.fd(), kLog, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    const UniqueFd to(openat(directory_.fd(), kLogCopy,
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!from || !to) return ErrnoError(errno, "cannot copy the catalog's log");
    std::string chunk(1 << 20, '\0');
    for (uint64_t at = 0;; at += chunk.size()) {
      absl::StatusOr<size_t> n = ReadAt(from.get(), at, absl::MakeSpan(&chunk[0], chunk.size()));
      if (!n.ok()) return n.status();
      absl::Status status = WriteAt(to.get(), at, absl::string_view(chunk.data(), *n));
      if (!status.ok()) return status;
      if (*n < chunk.size()) break;
    }
    if (fsync(to.get()) != 0) return ErrnoError(errno, "cannot sync a copy of the catalog's log");
  }
  return SetAside(directory_, kLogCopy, why, clock_.WallTime()).status();
}

// Opens it so that nothing is written: what a look at the log needs (its index) is shared memory,
// and is taken away in the end.
absl::Status FsckRun::CheckCatalog() {
  struct stat info;
  if (fstatat(directory_.fd(), kCatalogFile, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return ErrnoError(errno, "cannot look at the catalog");
    absl::StatusOr<uint64_t> last = LastBootOfFiles();
    if (!last.ok()) return last.status();
    if (*last == 0 && !had_log_) return absl::OkStatus();  // no node has been here yet
    return SalvageCatalogAside("it is missing");
  }
  std::string complaint = "it is no regular file";
  if (S_ISREG(info.st_mode)) {
    absl::StatusOr<SqliteDatabase> database = OpenCatalogForChecking(directory_);
    if (database.ok()) {
      absl::StatusOr<std::string> examined = Examine(*database);
      if (!examined.ok()) return examined.status();
      complaint = *std::move(examined);
    } else if (KindOf(database.status()) == ErrorKind::kCorrupt) {
      complaint = std::string(database.status().message());
    } else {
      return database.status();
    }
  }
  if (!complaint.empty()) return SalvageCatalogAside(complaint);
  catalog_readable_ = true;
  if (!options_.repair) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory_);
  if (!writer.ok()) return writer.status();
  return (*writer)->Checkpoint(/*truncate=*/true);
}

absl::Status FsckRun::SalvageCatalogAside(const std::string& what) {
  const size_t index = report_.findings.size();
  Add(FindingKind::kDamagedCatalog, kCatalogFile, what);
  if (!options_.repair) return absl::OkStatus();
  SalvagedCatalog salvaged;
  if (absl::StatusOr<SqliteDatabase> damaged = OpenCatalogForChecking(directory_); damaged.ok()) {
    salvaged = SalvageCatalog(*damaged);
  }
  for (const char* part : {kCatalogFile, kLog}) {
    if (!Exists(directory_, part)) continue;
    absl::StatusOr<std::string> place =
        SetAside(directory_, part, absl::StrCat("damaged_catalog: ", what), clock_.WallTime());
    if (!place.ok()) return place.status();
  }
  if (unlinkat(directory_.fd(), kLogIndex, 0) != 0 && errno != ENOENT) {
    return ErrnoError(errno, absl::StrCat("cannot unlink ", kLogIndex));
  }
  absl::StatusOr<uint64_t> last_boot = LastBootOfFiles();
  if (!last_boot.ok()) return last_boot.status();
  absl::Status status = RebuildCatalog(directory_, salvaged, *last_boot, clock_.WallTime());
  if (!status.ok()) return status;
  Finding& finding = report_.findings[index];
  absl::StrAppend(&finding.detail, "; a new one has the ", salvaged.entries.size(),
                  " objects that could be read, and the old one is in quarantine/");
  finding.repaired = true;
  catalog_readable_ = true;
  return absl::OkStatus();
}

// The latest start that made one of the files here: serials must not be used again.
absl::StatusOr<uint64_t> FsckRun::LastBootOfFiles() {
  uint64_t last = 0;
  const auto look = [&](const DirectoryEntry& entry) {
    // In quarantine/ the name ends the path the file came from.
    absl::string_view name = entry.name;
    if (name.size() > 16) name = name.substr(name.find_last_of('_') + 1).substr(0, 16);
    last = std::max(last, BlobName::ParseNumber(name).value_or(0) >> kSerialBits);
    return absl::OkStatus();
  };
  for (const char* place : {"attachments", "quarantine"}) {
    if (absl::Status status = ListDirectory(directory_.fd(), place, look); !status.ok()) {
      return status;
    }
  }
  for (int shard = 0; shard < DataDirectory::kShards; ++shard) {
    absl::Status status =
        ListDirectory(directory_.fd(), BlobName::ShardDirectory(static_cast<uint8_t>(shard)), look);
    if (!status.ok()) return status;
  }
  return last;
}

// What only our reading has made.
void FsckRun::RemoveTraces() {
  if (!had_index_) unlinkat(directory_.fd(), kLogIndex, 0);
  struct stat info;
  if (!had_log_ && fstatat(directory_.fd(), kLog, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      info.st_size == 0) {
    unlinkat(directory_.fd(), kLog, 0);
  }
}

}  // namespace packice
