// SQLite on the faulty disk: a program that is known to lose nothing loses nothing there either, as
// long as its syncs are made.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "faulty_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;
using ::testing::SizeIs;

// Counts the rows that SQLite has told it are committed.
constexpr char kWriteRows[] = R"python(
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/rows.sqlite", isolation_level=None)
db.execute("pragma journal_mode=wal")
db.execute("pragma synchronous=full")
db.execute("create table if not exists t(n)")
for n in range(50):
    db.execute("insert into t values(?)", (n,))
    print(n + 1, flush=True)
    if n == 20: db.execute("pragma wal_checkpoint(truncate)")
)python";
constexpr char kCountRows[] = R"python(
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/rows.sqlite")
try:
    assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
    print(db.execute("select count(*) from t").fetchone()[0])
except sqlite3.OperationalError: print(0)  # no such table
)python";

class ADatabase : public testing::Test {
 protected:
  // How many rows were committed before the process ended.
  int WriteRows() {
    ChildProcess child = disk_.StartProgram({"/usr/bin/python3", "-c", kWriteRows, disk_.root()});
    int rows = 0;
    for (std::string line; !(line = child.ReadLine()).empty();) rows = std::stoi(line);
    child.Wait();
    return rows;
  }
  // Of a second program, not on this disk.
  int CountRows() {
    ChildProcess child =
        ChildProcess::StartProgram({"/usr/bin/python3", "-c", kCountRows, disk_.root()});
    const std::string line = child.ReadLine();
    EXPECT_EQ(child.Wait(), 0);
    return line.empty() ? -1 : std::stoi(line);
  }

  // For another one in its place.
  void RemoveRows() {
    for (const auto& file : fs::directory_iterator(disk_.root())) fs::remove(file);
    disk_.MakeAllDurable();
  }

  FaultyDisk disk_{FaultyDisk::Memory::kForgetful};
};

TEST_F(ADatabase, HasEveryCommitAfterAPowerLoss) {
  for (const int kill_at : {5, 20, 40, 60, 90}) {
    disk_.SetRules({absl::StrCat("kill-before write,sync,unlink,truncate * ", kill_at)});
    const int rows = WriteRows();
    EXPECT_THAT(disk_.Fired(), SizeIs(1));
    disk_.LosePower();
    EXPECT_THAT(CountRows(), AllOf(Ge(rows), Le(rows + 1))) << "killed at call " << kill_at;
    RemoveRows();
  }
}

TEST_F(ADatabase, HasEveryCommitWhateverElseSurvives) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Random random(seed);
    disk_.SetRules({absl::StrCat("kill-before write,sync,unlink,truncate * ", 10 + random() % 80)});
    const int rows = WriteRows();
    disk_.LosePower(&random);
    EXPECT_THAT(CountRows(), AllOf(Ge(rows), Le(rows + 1))) << "seed " << seed;
    RemoveRows();
  }
}

TEST_F(ADatabase, LosesCommitsWhenItsSyncsAreLeftOut) {
  disk_.SetRules({"skip sync rows.sqlite-wal 10-", "kill-before write rows.sqlite-wal 60"});
  const int rows = WriteRows();
  disk_.LosePower();
  EXPECT_LT(CountRows(), rows);
}

}  // namespace
}  // namespace packice
