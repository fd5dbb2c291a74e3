// Fsck's look at every file that is no object's.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "catalog_schema.h"
#include "catalog_writer.h"
#include "directory_listing.h"
#include "fsck_run.h"

namespace packice {
namespace {

constexpr absl::string_view kTopLevel[] = {"packice.format",     "lock",
                                           "catalog.sqlite",     "catalog.sqlite-wal",
                                           "catalog.sqlite-shm", "catalog.sqlite-journal",
                                           "attachments",        "objects",
                                           "quarantine",         "discards",
                                           "discards.new"};

// In an order of their own, and not while the directory is being changed.
absl::StatusOr<std::vector<std::string>> NamesIn(const DataDirectory& directory,
                                                 const std::string& relative) {
  std::vector<std::string> names;
  absl::Status status = ListDirectory(directory.fd(), relative, [&](const DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  std::sort(names.begin(), names.end());
  return names;
}

bool IsRegularFile(const DataDirectory& directory, const std::string& relative) {
  struct stat info;
  return fstatat(directory.fd(), relative.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(info.st_mode);
}

}  // namespace

absl::Status FsckRun::CheckTop() {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(directory_, "");
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (std::find(std::begin(kTopLevel), std::end(kTopLevel), name) != std::end(kTopLevel)) {
      continue;
    }
    absl::Status status =
        AddAndSetAside(FindingKind::kUnknownFile, name, "it is no part of a data directory");
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FsckRun::CheckAttachments() {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(directory_, "attachments");
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat("attachments/", name);
    const bool ours = BlobName::ParseNumber(name).has_value() && IsRegularFile(directory_, path);
    absl::Status status =
        ours ? AddAndUnlink(FindingKind::kUnfinishedCreate, path,
                            "its object was never sealed; a node clears it when it starts")
             : AddAndSetAside(FindingKind::kUnknownFile, path, "it is no file that a node made");
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FsckRun::CheckRemovals() {
  if (!catalog_readable_) return absl::OkStatus();
  std::vector<BlobName> removed;
  {
    absl::StatusOr<SqliteDatabase> database = OpenCatalogForChecking(directory_);
    if (!database.ok()) return database.status();
    absl::StatusOr<int64_t> tables =
        database->Number("SELECT count(*) FROM sqlite_schema WHERE name = 'removed'");
    if (!tables.ok()) return tables.status();
    if (*tables == 0) return absl::OkStatus();
    absl::StatusOr<SqliteStatement> rows = database->Prepare("SELECT file, shard FROM removed");
    if (!rows.ok()) return rows.status();
    absl::StatusOr<bool> row = rows->Step();
    for (; row.ok() && *row; row = rows->Step()) {
      removed.push_back(
          {static_cast<uint64_t>(rows->Number(0)), static_cast<uint8_t>(rows->Number(1))});
    }
    if (!row.ok()) return row.status();
  }
  for (const BlobName& name : removed) {
    known_.insert({name.shard, name.number});
    if (!IsRegularFile(directory_, name.object())) continue;
    absl::Status status = AddAndUnlink(FindingKind::kUnfinishedRemoval, name.object(),
                                       "its object was removed; a node unlinks it when it starts");
    if (!status.ok()) return status;
  }
  if (!options_.repair || removed.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory_);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Begin(); !status.ok()) return status;
  for (const BlobName& name : removed) {
    if (absl::Status status = (*writer)->Forget(name); !status.ok()) return status;
  }
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return (*writer)->Checkpoint(/*truncate=*/true);
}

absl::Status FsckRun::CheckShards() {
  absl::StatusOr<std::vector<std::string>> shards = NamesIn(directory_, "objects");
  if (!shards.ok()) return shards.status();
  for (const std::string& shard : *shards) {
    const std::string place = absl::StrCat("objects/", shard);
    uint32_t number = 0;
    if (!absl::SimpleHexAtoi(shard, &number) || number >= DataDirectory::kShards ||
        BlobName::ShardDirectory(static_cast<uint8_t>(number)) != place) {
      absl::Status status =
          AddAndSetAside(FindingKind::kUnknownFile, place, "it is no directory of objects");
      if (!status.ok()) return status;
      continue;
    }
    absl::StatusOr<std::vector<std::string>> names = NamesIn(directory_, place);
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      const absl::optional<uint64_t> file = BlobName::ParseNumber(name);
      const std::string path = absl::StrCat(place, "/", name);
      if (file.has_value() && known_.contains({static_cast<uint8_t>(number), *file})) continue;
      absl::Status status;
      if (!file.has_value() || !IsRegularFile(directory_, path)) {
        status = AddAndSetAside(FindingKind::kUnknownFile, path, "it is no file that a node made");
      } else if (options_.repair || catalog_readable_) {
        status = AddAndSetAside(FindingKind::kOrphanFile, path,
                                "it belongs to no object of the catalog");
      }
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace packice
