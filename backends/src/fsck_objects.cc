// Fsck's look at the objects of the catalog and their files.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "catalog_reader.h"
#include "catalog_schema.h"
#include "catalog_writer.h"
#include "fsck_run.h"
#include "packice/backends/piece_hash.h"
#include "packice/backends/quarantine.h"
#include "packice/core/error.h"

namespace packice {

absl::Status FsckRun::CheckObjects() {
  if (!catalog_readable_) return absl::OkStatus();
  {
    absl::StatusOr<SqliteDatabase> database = OpenCatalogForChecking(directory_);
    if (!database.ok()) return database.status();
    absl::StatusOr<int64_t> version = CheckCatalogVersion(*database);
    if (!version.ok()) return version.status();
    if (*version == 0) return absl::OkStatus();  // no tables yet
    absl::StatusOr<SqliteStatement> sums =
        database->Prepare("SELECT sums FROM blobs WHERE file = ?1");
    if (!sums.ok()) return sums.status();
    absl::Status failure;
    absl::Status status = VisitCatalog(*database, [&](const CatalogEntry& entry) {
      if (failure.ok()) failure = CheckObject(entry, *sums);
    });
    if (!status.ok()) return status;
    if (!failure.ok()) return failure;
  }
  return options_.repair ? SetObjectsAside() : absl::OkStatus();
}

absl::Status FsckRun::CheckObject(const CatalogEntry& entry, SqliteStatement& sums) {
  ++report_.objects;
  const size_t before = report_.findings.size();
  for (const CatalogBlob& blob : entry.blobs) {
    report_.bytes += blob.size;
    known_.insert({blob.name.shard, blob.name.number});
    if (absl::Status status = CheckBlob(blob, sums); !status.ok()) return status;
  }
  if (report_.findings.size() == before) return absl::OkStatus();
  DamagedObject& damaged = damaged_[entry.serial];
  for (const CatalogBlob& blob : entry.blobs) damaged.files.push_back(blob.name);
  for (size_t i = before; i < report_.findings.size(); ++i) {
    if (absl::StatusOr<ObjectId> id = ObjectId::Parse(entry.id); id.ok()) {
      report_.findings[i].object_id = *std::move(id);
    }
    damaged.findings.push_back(i);
  }
  return absl::OkStatus();
}

absl::Status FsckRun::CheckBlob(const CatalogBlob& blob, SqliteStatement& sums) {
  const std::string path = blob.name.object();
  struct stat info;
  if (fstatat(directory_.fd(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return ErrnoError(errno, absl::StrCat("cannot look at ", path));
    Add(FindingKind::kMissingFile, path, absl::StrCat("its ", blob.size, " bytes are gone"));
    return absl::OkStatus();
  }
  if (!S_ISREG(info.st_mode)) {
    Add(FindingKind::kMissingFile, path, "what is there is no regular file");
    return absl::OkStatus();
  }
  if (static_cast<uint64_t>(info.st_size) != blob.size) {
    Add(FindingKind::kWrongSize, path,
        absl::StrCat("it has ", info.st_size, " bytes, and was sealed with ", blob.size));
    return absl::OkStatus();
  }
  if (!options_.bytes) return absl::OkStatus();

  sums.Reset();
  sums.Bind(1, static_cast<int64_t>(blob.name.number));
  absl::StatusOr<bool> row = sums.Step();
  if (!row.ok()) return row.status();
  absl::StatusOr<PieceSums> sealed = SumsFromBytes(*row ? sums.Bytes(0) : absl::string_view());
  const UniqueFd fd(openat(directory_.fd(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot open ", path));
  absl::StatusOr<PieceSums> now = SumFile(fd.get(), blob.size);
  if (!now.ok()) return now.status();
  const std::vector<uint64_t> differing =
      DifferingPieces(sealed.ok() ? *sealed : PieceSums(), *now);
  if (!differing.empty()) {
    Add(FindingKind::kFlippedBits, path,
        absl::StrCat(differing.size(), " of its ", now->pieces.size(),
                     " pieces of 1 MiB do not have their checksums: ", ListOfPieces(differing)));
  }
  return absl::OkStatus();
}

// The rows first: a file that then stays behind is an orphan, and found by the next run.
absl::Status FsckRun::SetObjectsAside() {
  if (damaged_.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory_);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Begin(); !status.ok()) return status;
  for (const auto& [serial, damaged] : damaged_) {
    const Finding& finding = report_.findings[damaged.findings.front()];
    absl::Status status = (*writer)->Quarantine(
        serial, absl::StrCat(NameOf(finding.kind), ": ", finding.detail), clock_.WallTime());
    if (!status.ok()) return status;
  }
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  if (absl::Status status = (*writer)->Checkpoint(/*truncate=*/true); !status.ok()) return status;
  for (const auto& [serial, damaged] : damaged_) {
    const Finding& first = report_.findings[damaged.findings.front()];
    const std::string why =
        absl::StrCat("the object ", first.object_id.ToQuoted(), " was damaged (",
                     NameOf(first.kind), " in ", first.path, ": ", first.detail, ")");
    for (const BlobName& name : damaged.files) {
      absl::StatusOr<std::string> place =
          SetAside(directory_, name.object(), why, clock_.WallTime());
      if (!place.ok() && KindOf(place.status()) != ErrorKind::kNotFound) return place.status();
      known_.erase({name.shard, name.number});
    }
    for (size_t i : damaged.findings) report_.findings[i].repaired = true;
  }
  return absl::OkStatus();
}

}  // namespace packice
