#include "catalog_writer.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "catalog_schema.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Starts that are remembered.
constexpr int64_t kBoots = 1000;

absl::Status NoObject(uint64_t serial) {
  return MakeError(ErrorKind::kNotFound,
                   absl::StrCat("the catalog has no object with the serial ", serial));
}

absl::string_view BytesOf(const PieceSums& sums) {
  return absl::string_view(reinterpret_cast<const char*>(sums.pieces.data()),
                           sums.pieces.size() * sizeof(Digest));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CatalogWriter>> CatalogWriter::Open(const DataDirectory& directory) {
  absl::StatusOr<SqliteDatabase> database = OpenCatalogForWriting(directory);
  if (!database.ok()) return database.status();
  std::unique_ptr<CatalogWriter> writer(new CatalogWriter(*std::move(database)));
  if (absl::Status status = writer->Prepare(); !status.ok()) return status;
  return writer;
}

absl::Status CatalogWriter::Prepare() {
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&find_id_, "SELECT serial FROM objects WHERE id = ?1"},
      {&add_object_, "INSERT INTO objects VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&add_blob_, "INSERT INTO blobs VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&list_removed_, "INSERT INTO removed SELECT file, shard FROM blobs WHERE object = ?1"},
      {&remove_blobs_, "DELETE FROM blobs WHERE object = ?1"},
      {&remove_object_, "DELETE FROM objects WHERE serial = ?1"},
      {&rename_, "UPDATE objects SET id = ?2 WHERE serial = ?1"},
      {&quarantine_,
       "INSERT INTO quarantined SELECT serial, id, metadata, ?2, ?3 FROM objects WHERE serial = "
       "?1"},
      {&forget_, "DELETE FROM removed WHERE file = ?1"},
  };
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<SqliteStatement> prepared = database_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  absl::StatusOr<int64_t> page_bytes = database_.Number("PRAGMA page_size");
  if (!page_bytes.ok()) return page_bytes.status();
  page_bytes_ = static_cast<uint64_t>(*page_bytes);
  sqlite3_wal_hook(
      database_.get(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<CatalogWriter*>(self)->log_frames_ = static_cast<uint64_t>(frames);
        return SQLITE_OK;
      },
      this);
  return absl::OkStatus();
}

absl::Status CatalogWriter::Begin() {
  if (absl::Status status = database_.CheckInPlace(); !status.ok()) return status;
  return database_.Execute("BEGIN IMMEDIATE");
}

absl::Status CatalogWriter::Commit() { return database_.Execute("COMMIT"); }

void CatalogWriter::Rollback() { database_.Execute("ROLLBACK").IgnoreError(); }

absl::Status CatalogWriter::Run(SqliteStatement& statement) {
  absl::Status status = statement.Run();
  if (!status.ok()) broken_ = true;
  return status;
}

absl::Status CatalogWriter::RunOn(SqliteStatement& statement, uint64_t serial) {
  statement.Bind(1, static_cast<int64_t>(serial));
  return Run(statement);
}

absl::Status CatalogWriter::Add(const CatalogEntry& entry, absl::Span<const PieceSums> sums) {
  find_id_.BindBlob(1, entry.id);
  absl::StatusOr<bool> taken = find_id_.Step();
  const uint64_t older = taken.ok() && *taken ? static_cast<uint64_t>(find_id_.Number(0)) : 0;
  find_id_.Reset();
  if (!taken.ok()) {
    broken_ = true;
    return taken.status();
  }
  if (*taken) {
    if (absl::Status status = Remove(older); !status.ok()) return status;
  }
  add_object_.Bind(1, static_cast<int64_t>(entry.serial));
  add_object_.BindBlob(2, entry.id);
  add_object_.BindText(3, entry.metadata);
  add_object_.Bind(4, ToCatalogTime(entry.created_at));
  add_object_.Bind(5, ToCatalogTime(entry.sealed_at));
  if (entry.expires_at.has_value()) {
    add_object_.Bind(6, ToCatalogTime(*entry.expires_at));
  } else {
    add_object_.BindNull(6);
  }
  add_object_.Bind(7, static_cast<int64_t>(entry.blobs.size()));
  if (absl::Status status = Run(add_object_); !status.ok()) return status;
  for (size_t n = 0; n < entry.blobs.size(); ++n) {
    const CatalogBlob& blob = entry.blobs[n];
    add_blob_.Bind(1, static_cast<int64_t>(entry.serial));
    add_blob_.Bind(2, static_cast<int64_t>(n));
    add_blob_.Bind(3, static_cast<int64_t>(blob.name.number));
    add_blob_.Bind(4, blob.name.shard);
    add_blob_.Bind(5, static_cast<int64_t>(blob.size));
    add_blob_.Bind(6, static_cast<int64_t>(blob.footprint));
    add_blob_.BindBlob(7, BytesOf(sums[n]));
    if (absl::Status status = Run(add_blob_); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CatalogWriter::Remove(uint64_t serial) {
  if (absl::Status status = RunOn(remove_object_, serial); !status.ok()) return status;
  if (!Changed()) return NoObject(serial);
  if (absl::Status status = RunOn(list_removed_, serial); !status.ok()) return status;
  return RunOn(remove_blobs_, serial);
}

absl::Status CatalogWriter::Rename(uint64_t serial, absl::string_view id) {
  rename_.Bind(1, static_cast<int64_t>(serial));
  rename_.BindBlob(2, id);
  absl::StatusOr<bool> row = rename_.Step();
  const int code = sqlite3_extended_errcode(database_.get());
  rename_.Reset();
  if (row.ok()) return Changed() ? absl::OkStatus() : NoObject(serial);
  if (code == SQLITE_CONSTRAINT_UNIQUE) {  // undoes this statement, not the transaction
    return MakeError(ErrorKind::kAlreadyExists, "another object in the catalog has that id");
  }
  broken_ = true;
  return row.status();
}

absl::Status CatalogWriter::Quarantine(uint64_t serial, absl::string_view why, absl::Time now) {
  quarantine_.BindText(2, why);
  quarantine_.Bind(3, ToCatalogTime(now));
  if (absl::Status status = RunOn(quarantine_, serial); !status.ok()) return status;
  if (!Changed()) return NoObject(serial);
  if (absl::Status status = RunOn(remove_object_, serial); !status.ok()) return status;
  return RunOn(remove_blobs_, serial);
}

absl::Status CatalogWriter::Forget(const BlobName& name) { return RunOn(forget_, name.number); }

absl::Status CatalogWriter::StartBoot(absl::Time now, uint64_t* boot, bool* last_was_clean) {
  absl::StatusOr<int64_t> last = database_.Number("SELECT max(boot) FROM boots");
  if (!last.ok()) return last.status();
  absl::StatusOr<int64_t> unclean = database_.Number(
      "SELECT ended_at IS NULL FROM boots WHERE boot = (SELECT max(boot) FROM boots)");
  if (!unclean.ok()) return unclean.status();
  *boot = static_cast<uint64_t>(*last) + 1;
  *last_was_clean = *unclean == 0;
  const std::string insert =
      absl::StrCat("INSERT INTO boots VALUES(", *boot, ", ", ToCatalogTime(now), ", NULL)");
  if (absl::Status status = database_.Execute(insert.c_str()); !status.ok()) return status;
  const std::string forget = absl::StrCat("DELETE FROM boots WHERE boot <= ", *last + 1 - kBoots);
  return database_.Execute(forget.c_str());
}

absl::Status CatalogWriter::SetBoot(uint64_t boot, absl::Time now) {
  const int64_t time = ToCatalogTime(now);
  const std::string insert =
      absl::StrCat("INSERT INTO boots VALUES(", boot, ", ", time, ", ", time, ")");
  return database_.Execute(insert.c_str());
}

absl::Status CatalogWriter::EndBoot(uint64_t boot, absl::Time now) {
  const std::string update =
      absl::StrCat("UPDATE boots SET ended_at = ", ToCatalogTime(now), " WHERE boot = ", boot);
  absl::Status status = database_.Execute(update.c_str());
  if (!status.ok()) broken_ = true;
  return status;
}

absl::Status CatalogWriter::Checkpoint(bool truncate) {
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  errno = 0;
  const int code = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, mode, nullptr, nullptr);
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteError(code, "checkpoint the catalog");
}

}  // namespace packice
