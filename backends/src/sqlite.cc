#include "sqlite.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr int kBusyMilliseconds = 5'000;  // for a person with a sqlite3 shell

ErrorKind KindOfCode(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ErrorKind::kCapacity;
    case SQLITE_IOERR:
      // EFBIG: a limit for one file, of the file system or of the process.
      if (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG ||
          code == SQLITE_IOERR_NOMEM) {
        return ErrorKind::kCapacity;
      }
      return ErrorKind::kIo;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return ErrorKind::kIo;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::kBusy;
    case SQLITE_TOOBIG:
      return ErrorKind::kInvalidArgument;
    default:
      return ErrorKind::kInternal;
  }
}

absl::string_view WayOut(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCorrupt:
      return "; stop the node and run packice fsck --repair on its directory";
    case ErrorKind::kBusy:
      return "; end the other program that has it open";
    default:
      return "";
  }
}

}  // namespace

absl::Status SqliteError(int code, absl::string_view what) {
  const int system_error = errno;
  const ErrorKind kind = KindOfCode(code, system_error);
  const bool by_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
  return MakeError(kind, absl::StrCat("cannot ", what, ": ", sqlite3_errstr(code),
                                      by_system && system_error != 0
                                          ? absl::StrCat(" (", std::strerror(system_error), ")")
                                          : "",
                                      WayOut(kind)));
}

absl::StatusOr<SqliteDatabase> SqliteDatabase::Open(const std::string& path, int flags) {
  SqliteDatabase database;
  sqlite3* raw = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(path.c_str(), &raw,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database.database_.reset(raw);
  if (code != SQLITE_OK) return SqliteError(code, absl::StrCat("open the catalog ", path));
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return database;
}

absl::Status SqliteDatabase::Execute(const char* sql) {
  errno = 0;
  const int code = sqlite3_exec(get(), sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteError(code, absl::StrCat("run \"", sql, "\" on the catalog"));
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(absl::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  errno = 0;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code == SQLITE_OK) return SqliteStatement(raw);
  return SqliteError(code, absl::StrCat("prepare \"", sql, "\" for the catalog"));
}

absl::StatusOr<int64_t> SqliteDatabase::Number(absl::string_view sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Number(0) : 0;
}

absl::Status SqliteDatabase::CheckInPlace() {
  int moved = 0;
  if (sqlite3_file_control(get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
      moved != 0) {
    return MakeError(ErrorKind::kIo,
                     absl::StrCat("the catalog ", sqlite3_db_filename(get(), "main"),
                                  " is gone from its place; bring the directory "
                                  "back"));
  }
  return absl::OkStatus();
}

void SqliteStatement::BindBlob(int index, absl::string_view bytes) {
  // A null pointer would bind NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob64(get(), index, data, bytes.size(), SQLITE_STATIC);
}

void SqliteStatement::BindText(int index, absl::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  sqlite3_bind_text64(get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

absl::StatusOr<bool> SqliteStatement::Step() {
  errno = 0;
  const int code = sqlite3_step(get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(code, absl::StrCat("run \"", sqlite3_sql(get()), "\" on the catalog"));
}

absl::Status SqliteStatement::Run() {
  absl::StatusOr<bool> row = Step();
  while (row.ok() && *row) row = Step();
  Reset();
  return row.status();
}

absl::string_view SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(get(), column);
  const int size = sqlite3_column_bytes(get(), column);
  return data == nullptr
             ? absl::string_view()
             : absl::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

}  // namespace packice
