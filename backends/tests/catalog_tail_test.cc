#include "catalog_tail.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "catalog_log.h"
#include "catalog_writer.h"
#include "data_directory_fixture.h"
#include "packice/core/clock.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

// A commit that succeeds stands in for one whose sync has failed: in the log they look the same.
class CatalogTailTest : public testing::Test {
 protected:
  CatalogTailTest() {
    directory_ = *DataDirectory::Open(temporary_ / "data");
    catalog_ = *Catalog::Open(*directory_, Clock::System());
    catalog_.reset();  // the tables are made; the log has one commit
    writer_ = *CatalogWriter::Open(*directory_);
    tail_.emplace(log_, writer_->page_bytes());
  }

  void Commit(uint64_t serial) {
    const std::string id = absl::StrCat(serial);
    CatalogEntry entry;
    entry.serial = serial;
    entry.id = id;
    entry.metadata = "{}";
    ASSERT_THAT(writer_->Begin(), IsOk());
    ASSERT_THAT(writer_->Add(entry, {}), IsOk());
    ASSERT_THAT(writer_->Commit(), IsOk());
  }
  void Succeed() { tail_->Committed(*writer_->log_frames()); }

  // The serials that are there after the machine has failed now.
  std::vector<uint64_t> AfterACrash() {
    const std::string crashed = temporary_ / absl::StrCat("crashed ", ++crashes_);
    fs::create_directories(crashed);
    for (const char* name : {"packice.format", "catalog.sqlite", "catalog.sqlite-wal"}) {
      fs::copy(directory_->PathOf(name), absl::StrCat(crashed, "/", name));
    }
    auto directory = DataDirectory::Open(crashed);
    EXPECT_THAT(directory, IsOk());
    auto catalog = Catalog::Open(**directory, Clock::System());
    EXPECT_THAT(catalog, IsOk());
    std::vector<uint64_t> serials;
    EXPECT_THAT(
        (*catalog)->ForEach([&](const CatalogEntry& entry) { serials.push_back(entry.serial); }),
        IsOk());
    return serials;
  }
  std::string TornEnd() const {
    const UniqueFd fd(open(log_.c_str(), O_RDONLY | O_CLOEXEC));
    auto end = FindCatalogLogEnd(fd.get());
    EXPECT_THAT(end, IsOk());
    return end->torn;
  }

  TemporaryDirectory temporary_;
  const std::string log_ = temporary_ / "data/catalog.sqlite-wal";
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<CatalogWriter> writer_;
  absl::optional<CatalogTail> tail_;
  int crashes_ = 0;
};

TEST_F(CatalogTailTest, WithoutACutAFailedCommitWouldBeBack) {
  Commit(1);
  Succeed();
  Commit(2);
  EXPECT_EQ(AfterACrash(), (std::vector<uint64_t>{1, 2}));
}

TEST_F(CatalogTailTest, ACutTakesAwayWhatWasNotCommitted) {
  Commit(1);
  Succeed();
  Commit(2);
  Commit(3);
  ASSERT_THAT(tail_->Cut(), IsOk());
  EXPECT_EQ(TornEnd(), "");
  EXPECT_EQ(AfterACrash(), std::vector<uint64_t>{1});
  ASSERT_THAT(tail_->Cut(), IsOk()) << "there may be nothing to be cut";
  EXPECT_EQ(AfterACrash(), std::vector<uint64_t>{1});
}

// SQLite then has written a new header, over commits that are all in the database.
TEST_F(CatalogTailTest, ACutOfACommitThatBeganTheLogAnewEmptiesIt) {
  for (uint64_t serial = 1; serial <= 5; ++serial) {
    Commit(serial);
    Succeed();
  }
  ASSERT_THAT(writer_->Checkpoint(/*truncate=*/false), IsOk());
  Commit(6);
  ASSERT_THAT(tail_->Cut(), IsOk());
  EXPECT_EQ(fs::file_size(log_), 0u);
  EXPECT_EQ(AfterACrash(), (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(CatalogTailTest, FollowsTheLogThroughItsRounds) {
  for (uint64_t serial = 1; serial <= 5; ++serial) {
    Commit(serial);
    Succeed();
  }
  ASSERT_THAT(writer_->Checkpoint(/*truncate=*/false), IsOk());
  Commit(6);
  Succeed();
  Commit(7);
  ASSERT_THAT(tail_->Cut(), IsOk());
  EXPECT_EQ(AfterACrash(), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6}));
}

// The new round may soon be longer than the last.
TEST_F(CatalogTailTest, ACutKeepsARoundThatBeganWithALargeCommit) {
  Commit(1);
  Succeed();
  ASSERT_THAT(writer_->Checkpoint(/*truncate=*/false), IsOk());
  const std::string metadata = absl::StrCat("{\"x\":\"", std::string(60'000, 'x'), "\"}");
  CatalogEntry entry;
  entry.serial = 2;
  entry.id = "large";
  entry.metadata = metadata;
  ASSERT_THAT(writer_->Begin(), IsOk());
  ASSERT_THAT(writer_->Add(entry, {}), IsOk());
  ASSERT_THAT(writer_->Commit(), IsOk());
  Succeed();
  Commit(3);
  ASSERT_THAT(tail_->Cut(), IsOk());
  EXPECT_EQ(AfterACrash(), (std::vector<uint64_t>{1, 2}));
}

TEST_F(CatalogTailTest, WithoutItsLogACutFails) {
  Commit(1);
  Succeed();
  fs::rename(log_, temporary_ / "away");
  EXPECT_THAT(tail_->Cut(), HasKind(ErrorKind::kIo));
  fs::rename(temporary_ / "away", log_);
  EXPECT_THAT(tail_->Cut(), IsOk());
  EXPECT_EQ(AfterACrash(), std::vector<uint64_t>{1});
}

}  // namespace
}  // namespace packice
