#include "catalog_reader.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "catalog_schema.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Rows that are read in one transaction: while one lasts, the log cannot begin anew.
constexpr int64_t kRowsAtATime = 4096;

constexpr char kObjects[] =
    "SELECT serial, id, metadata, created_at, sealed_at, expires_at, blobs FROM objects "
    "WHERE serial > ?1 ORDER BY serial LIMIT ?2";
constexpr char kBlobs[] =
    "SELECT object, file, shard, size, footprint FROM blobs WHERE object > ?1 ORDER BY object, n";

BlobName NameAt(const SqliteStatement& row, int column) {
  return BlobName{static_cast<uint64_t>(row.Number(column)),
                  static_cast<uint8_t>(row.Number(column + 1))};
}

// Walks objects and their blobs side by side: both are in the order of serials.
class Walk {
 public:
  static absl::StatusOr<Walk> Make(SqliteDatabase& database) {
    absl::StatusOr<SqliteStatement> objects = database.Prepare(kObjects);
    if (!objects.ok()) return objects.status();
    absl::StatusOr<SqliteStatement> blobs = database.Prepare(kBlobs);
    if (!blobs.ok()) return blobs.status();
    return Walk(*std::move(objects), *std::move(blobs));
  }

  // Visits the next rows; whether there were any.
  absl::StatusOr<bool> Next(absl::FunctionRef<void(const CatalogEntry&)> visit) {
    objects_.Reset();
    blobs_.Reset();
    objects_.Bind(1, last_);
    objects_.Bind(2, kRowsAtATime);
    blobs_.Bind(1, last_);
    absl::StatusOr<bool> blob = blobs_.Step();
    absl::StatusOr<bool> object = objects_.Step();
    bool any = false;
    for (; object.ok() && *object; object = objects_.Step()) {
      any = true;
      last_ = objects_.Number(0);
      names_.clear();
      while (blob.ok() && *blob && blobs_.Number(0) <= last_) {
        if (blobs_.Number(0) == last_) {
          names_.push_back({NameAt(blobs_, 1), static_cast<uint64_t>(blobs_.Number(3)),
                            static_cast<uint64_t>(blobs_.Number(4))});
        }
        blob = blobs_.Step();
      }
      if (!blob.ok()) return blob.status();
      if (static_cast<int64_t>(names_.size()) != objects_.Number(6)) return TornEntry();
      visit(Entry());
    }
    if (!object.ok()) return object.status();
    objects_.Reset();
    blobs_.Reset();
    return any;
  }

 private:
  Walk(SqliteStatement objects, SqliteStatement blobs)
      : objects_(std::move(objects)), blobs_(std::move(blobs)) {}

  absl::Status TornEntry() const {
    return MakeError(
        ErrorKind::kCorrupt,
        absl::StrCat("the catalog lists ", names_.size(), " of the ", objects_.Number(6),
                     " blobs of the object with the serial ", last_,
                     "; stop the node and run packice fsck --repair on its "
                     "directory"));
  }

  CatalogEntry Entry() const {
    CatalogEntry entry;
    entry.serial = static_cast<uint64_t>(last_);
    entry.id = objects_.Bytes(1);
    entry.metadata = objects_.Bytes(2);
    entry.created_at = FromCatalogTime(objects_.Number(3));
    entry.sealed_at = FromCatalogTime(objects_.Number(4));
    if (!objects_.IsNull(5)) entry.expires_at = FromCatalogTime(objects_.Number(5));
    entry.blobs = names_;
    return entry;
  }

  SqliteStatement objects_;
  SqliteStatement blobs_;
  int64_t last_ = -1;
  std::vector<CatalogBlob> names_;
};

}  // namespace

absl::Status VisitCatalog(SqliteDatabase& database,
                          absl::FunctionRef<void(const CatalogEntry&)> visit) {
  absl::StatusOr<Walk> walk = Walk::Make(database);
  if (!walk.ok()) return walk.status();
  while (true) {
    // One transaction, so that both statements see the same catalog.
    if (absl::Status status = database.Execute("BEGIN"); !status.ok()) return status;
    absl::StatusOr<bool> more = walk->Next(visit);
    if (!more.ok()) return more.status();
    if (absl::Status status = database.Execute("COMMIT"); !status.ok()) return status;
    if (!*more) return absl::OkStatus();
  }
}

absl::StatusOr<PieceSums> SumsFromBytes(absl::string_view bytes) {
  if (bytes.size() % sizeof(Digest) != 0) {
    return MakeError(ErrorKind::kCorrupt,
                     "the sums of a blob in the catalog are cut off; run "
                     "packice fsck --repair on the directory");
  }
  PieceSums sums;
  sums.pieces.resize(bytes.size() / sizeof(Digest));
  if (!bytes.empty()) std::memcpy(sums.pieces.data(), bytes.data(), bytes.size());
  return sums;
}

absl::Status CatalogReader::ForEach(absl::FunctionRef<void(const CatalogEntry&)> visit) const {
  absl::StatusOr<SqliteDatabase> database = OpenCatalogForReading(directory_);
  if (!database.ok()) return database.status();
  return VisitCatalog(*database, visit);
}

absl::Status CatalogReader::ForEachRemoved(absl::FunctionRef<void(const BlobName&)> visit) const {
  absl::StatusOr<SqliteDatabase> database = OpenCatalogForReading(directory_);
  if (!database.ok()) return database.status();
  absl::StatusOr<SqliteStatement> rows = database->Prepare("SELECT file, shard FROM removed");
  if (!rows.ok()) return rows.status();
  absl::StatusOr<bool> row = rows->Step();
  for (; row.ok() && *row; row = rows->Step()) visit(NameAt(*rows, 0));
  return row.status();
}

absl::Status CatalogReader::Connect() const {
  MutexLock lock(mutex_);
  return Connected().status();
}

absl::StatusOr<CatalogReader::Connection*> CatalogReader::Connected() const {
  if (!connection_.has_value()) {
    absl::StatusOr<SqliteDatabase> database = OpenCatalogForReading(directory_);
    if (!database.ok()) return database.status();
    absl::StatusOr<SqliteStatement> sums =
        database->Prepare("SELECT sums FROM blobs WHERE file = ?1");
    if (!sums.ok()) return sums.status();
    absl::StatusOr<SqliteStatement> knows = database->Prepare(
        "SELECT 1 FROM blobs WHERE file = ?1 AND shard = ?2 UNION ALL "
        "SELECT 1 FROM removed WHERE file = ?1 AND shard = ?2");
    if (!knows.ok()) return knows.status();
    connection_.emplace(Connection{*std::move(database), *std::move(sums), *std::move(knows)});
  }
  return &*connection_;
}

absl::StatusOr<PieceSums> CatalogReader::Sums(const BlobName& name) const {
  MutexLock lock(mutex_);
  absl::StatusOr<Connection*> connection = Connected();
  if (!connection.ok()) return connection.status();
  SqliteStatement& statement = (*connection)->sums;
  statement.Bind(1, static_cast<int64_t>(name.number));
  absl::StatusOr<bool> row = statement.Step();
  if (!row.ok()) {
    connection_.reset();
    return row.status();
  }
  absl::StatusOr<PieceSums> sums =
      *row ? SumsFromBytes(statement.Bytes(0))
           : MakeError(ErrorKind::kNotFound,
                       absl::StrCat("the catalog has no blob in the file ", name.object()));
  statement.Reset();
  return sums;
}

absl::StatusOr<bool> CatalogReader::Knows(const BlobName& name) const {
  MutexLock lock(mutex_);
  absl::StatusOr<Connection*> connection = Connected();
  if (!connection.ok()) return connection.status();
  SqliteStatement& statement = (*connection)->knows;
  statement.Bind(1, static_cast<int64_t>(name.number));
  statement.Bind(2, name.shard);
  absl::StatusOr<bool> row = statement.Step();
  if (row.ok()) {
    statement.Reset();
  } else {
    connection_.reset();
  }
  return row;
}

}  // namespace packice
