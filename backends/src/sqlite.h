// SQLite with owners and with Packice's errors: a database connection and a prepared statement.
//
// Used by one thread at a time. Calls block for the file system.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice {

class SqliteStatement;

class SqliteDatabase {
 public:
  // `flags` as for sqlite3_open_v2(). `path` may be a file: URI when they say so. Closing does no
  // checkpoint: whoever wants one asks for it.
  static absl::StatusOr<SqliteDatabase> Open(const std::string& path, int flags);

  absl::Status Execute(const char* sql);
  absl::StatusOr<SqliteStatement> Prepare(absl::string_view sql);
  // The one number that `sql` gives.
  absl::StatusOr<int64_t> Number(absl::string_view sql);

  // `io` when the file is not at its path any more, so that what is written is lost.
  absl::Status CheckInPlace();

  sqlite3* get() const { return database_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  std::unique_ptr<sqlite3, Close> database_;
};

class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  // Parameters count from 1. Blobs and texts must stay until Reset.
  void Bind(int index, int64_t number) { sqlite3_bind_int64(get(), index, number); }
  void BindNull(int index) { sqlite3_bind_null(get(), index); }
  void BindBlob(int index, absl::string_view bytes);
  void BindText(int index, absl::string_view text);

  // Whether there is a row.
  absl::StatusOr<bool> Step();
  // Steps to the end and resets: for a statement that gives no rows.
  absl::Status Run();
  // Makes it ready to be run again. Parameters keep what they are bound to.
  void Reset() { sqlite3_reset(get()); }

  // Columns count from 0. Views are good until the next Step or Reset.
  int64_t Number(int column) const { return sqlite3_column_int64(get(), column); }
  bool IsNull(int column) const { return sqlite3_column_type(get(), column) == SQLITE_NULL; }
  absl::string_view Bytes(int column) const;

  sqlite3_stmt* get() const { return statement_.get(); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// The failure `code` of a call to SQLite, while `what`. A full disk is `capacity`; a disk that
// fails, is read-only or gone is `io`; damage is `corrupt`, with the way out; `busy` while another
// program has the database locked. To be called right after: it looks at errno(3), which must have
// been 0 before the call, because SQLite does not tell a full disk from a broken one in all cases.
absl::Status SqliteError(int code, absl::string_view what);

}  // namespace packice
