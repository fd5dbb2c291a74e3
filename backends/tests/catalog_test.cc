#include "packice/backends/catalog.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data_directory_fixture.h"
#include "packice/backends/metadata_text.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/testing/fake_clock.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

// An entry with what it points to.
struct Kept {
  explicit Kept(const CatalogEntry& entry)
      : serial(entry.serial),
        id(entry.id),
        metadata(entry.metadata),
        created_at(entry.created_at),
        sealed_at(entry.sealed_at),
        expires_at(entry.expires_at),
        blobs(entry.blobs.begin(), entry.blobs.end()) {}

  uint64_t serial;
  std::string id;
  std::string metadata;
  absl::Time created_at;
  absl::Time sealed_at;
  absl::optional<absl::Time> expires_at;
  std::vector<CatalogBlob> blobs;
};

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() { Reopen(); }

  void Reopen() {
    catalog_.reset();
    directory_.reset();
    auto directory = DataDirectory::Open(temporary_ / "data");
    ASSERT_THAT(directory, IsOk());
    directory_ = *std::move(directory);
    auto catalog = Catalog::Open(*directory_, clock_);
    ASSERT_THAT(catalog, IsOk());
    catalog_ = *std::move(catalog);
  }

  static absl::Status AddTo(Catalog& catalog, uint64_t serial, absl::string_view id) {
    const CatalogBlob blob{{serial, static_cast<uint8_t>(serial)}, 5, 4096};
    CatalogEntry entry;
    entry.serial = serial;
    entry.id = id;
    entry.metadata = "{}";
    entry.created_at = entry.sealed_at = absl::FromUnixSeconds(1);
    entry.blobs = absl::MakeConstSpan(&blob, 1);
    const PieceSums sums{{HashPiece(id)}};
    return catalog.Add(entry, absl::MakeConstSpan(&sums, 1));
  }
  absl::Status Add(uint64_t serial, absl::string_view id) { return AddTo(*catalog_, serial, id); }

  // Serials by id.
  std::map<std::string, uint64_t> Objects() {
    std::map<std::string, uint64_t> objects;
    EXPECT_THAT(catalog_->ForEach([&](const CatalogEntry& entry) {
      objects[std::string(entry.id)] = entry.serial;
    }),
                IsOk());
    return objects;
  }
  std::vector<uint64_t> Removed() {
    std::vector<uint64_t> removed;
    EXPECT_THAT(
        catalog_->ForEachRemoved([&](const BlobName& name) { removed.push_back(name.number); }),
        IsOk());
    return removed;
  }

  const std::string path_ = "catalog.sqlite";
  TemporaryDirectory temporary_;
  FakeClock clock_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Catalog> catalog_;
};

// --- What it keeps.

TEST_F(CatalogTest, KeepsEverythingThroughARestart) {
  const std::string id("any\0bytes\xff'\"", 12);
  const CatalogBlob blobs[] = {{{11, 0xa7}, 3 << 20, 4 << 20}, {{12, 0xa7}, 0, 0}};
  const PieceSums sums[] = {{{HashPiece("a"), HashPiece("b"), HashPiece("c")}}, {}};
  CatalogEntry entry;
  entry.serial = 7;
  entry.id = id;
  entry.metadata = R"({"prev_objid":"the one before","n":1.0})";
  entry.created_at = absl::FromUnixNanos(1'700'000'000'123'456'789);
  entry.sealed_at = absl::FromUnixNanos(1'700'000'001'987'654'321);
  entry.expires_at = absl::FromUnixNanos(1'800'000'000'000'000'001);
  entry.blobs = blobs;
  ASSERT_THAT(catalog_->Add(entry, sums), IsOk());

  for (int round = 0; round < 2; ++round) {
    std::vector<Kept> found;
    ASSERT_THAT(catalog_->ForEach([&](const CatalogEntry& e) { found.emplace_back(e); }), IsOk());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].serial, 7u);
    EXPECT_EQ(found[0].id, id);
    EXPECT_EQ(found[0].metadata, entry.metadata);
    EXPECT_EQ(found[0].created_at, entry.created_at);
    EXPECT_EQ(found[0].sealed_at, entry.sealed_at);
    EXPECT_EQ(found[0].expires_at, entry.expires_at);
    ASSERT_EQ(found[0].blobs.size(), 2u);
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_EQ(found[0].blobs[n].name, blobs[n].name);
      EXPECT_EQ(found[0].blobs[n].size, blobs[n].size);
      EXPECT_EQ(found[0].blobs[n].footprint, blobs[n].footprint);
      ASSERT_THAT(catalog_->Sums(blobs[n].name), IsOk());
      EXPECT_EQ(catalog_->Sums(blobs[n].name)->pieces, sums[n].pieces);
    }
    Reopen();
  }
  EXPECT_THAT(catalog_->Sums({99, 0}), HasKind(ErrorKind::kNotFound));
}

TEST_F(CatalogTest, ForEachGivesEveryObjectOfManyInOrder) {
  constexpr uint64_t kObjects = 10'000;  // more than are read at a time
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([this, t] {
      for (uint64_t serial = 1 + t; serial <= kObjects; serial += 8) {
        ASSERT_THAT(Add(serial, absl::StrCat("object ", serial)), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t expected = 0;
  ASSERT_THAT(catalog_->ForEach([&](const CatalogEntry& entry) {
    ++expected;
    EXPECT_EQ(entry.serial, expected);
    EXPECT_EQ(entry.id, absl::StrCat("object ", expected));
    ASSERT_EQ(entry.blobs.size(), 1u);
    EXPECT_EQ(entry.blobs[0].name.number, expected);
  }),
              IsOk());
  EXPECT_EQ(expected, kObjects);
}

TEST_F(CatalogTest, AnObjectOfTheSameIdTakesTheOldOnesPlaceAtOnce) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  ASSERT_THAT(Add(2, "a"), IsOk());
  EXPECT_EQ(Objects(), (std::map<std::string, uint64_t>{{"a", 2}}));
  EXPECT_EQ(Removed(), std::vector<uint64_t>{1});
}

TEST_F(CatalogTest, RemovedFilesStayListedUntilTheyAreForgotten) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  ASSERT_THAT(Add(2, "b"), IsOk());
  EXPECT_THAT(catalog_->Knows({1, 1}), IsOkAndHolds(true));
  ASSERT_THAT(catalog_->Remove(1), IsOk());
  EXPECT_THAT(catalog_->Remove(1), HasKind(ErrorKind::kNotFound));
  Reopen();
  EXPECT_EQ(Objects(), (std::map<std::string, uint64_t>{{"b", 2}}));
  EXPECT_EQ(Removed(), std::vector<uint64_t>{1});
  EXPECT_THAT(catalog_->Knows({1, 1}), IsOkAndHolds(true)) << "somebody may still read it";
  catalog_->Forget({1, 1});
  ASSERT_THAT(catalog_->CloseCleanly(), IsOk());
  Reopen();
  EXPECT_TRUE(Removed().empty());
  EXPECT_THAT(catalog_->Knows({1, 1}), IsOkAndHolds(false));
  EXPECT_THAT(catalog_->Knows({2, 3}), IsOkAndHolds(false)) << "in another shard";
}

TEST_F(CatalogTest, ManyForgottenFilesGoWithALaterChange) {
  for (uint64_t serial = 1; serial <= 300; ++serial) {
    ASSERT_THAT(Add(serial, absl::StrCat(serial)), IsOk());
    ASSERT_THAT(catalog_->Remove(serial), IsOk());
    catalog_->Forget({serial, static_cast<uint8_t>(serial)});
  }
  ASSERT_THAT(Add(1000, "the later change"), IsOk());
  EXPECT_LT(Removed().size(), 100u);
}

TEST_F(CatalogTest, ARenameMovesTheIdAndNothingElse) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  ASSERT_THAT(Add(2, "b"), IsOk());
  ASSERT_THAT(catalog_->Rename(1, Id("c")), IsOk());
  EXPECT_THAT(catalog_->Rename(1, Id("b")), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(catalog_->Rename(3, Id("d")), HasKind(ErrorKind::kNotFound));
  Reopen();
  EXPECT_EQ(Objects(), (std::map<std::string, uint64_t>{{"b", 2}, {"c", 1}}));
  EXPECT_TRUE(Removed().empty());
}

TEST_F(CatalogTest, AQuarantinedObjectIsGoneAndItsFilesAreNobodys) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  ASSERT_THAT(catalog_->Quarantine(1, "its bytes had changed"), IsOk());
  EXPECT_THAT(catalog_->Quarantine(1, "again"), HasKind(ErrorKind::kNotFound));
  EXPECT_TRUE(Objects().empty());
  EXPECT_TRUE(Removed().empty());
  EXPECT_THAT(catalog_->Knows({1, 1}), IsOkAndHolds(false));
}

// --- Serials and starts.

TEST_F(CatalogTest, SerialsAreNeverUsedTwice) {
  const uint64_t first = catalog_->FirstSerial();
  EXPECT_EQ(first, uint64_t{1} << 40);
  Reopen();
  EXPECT_EQ(catalog_->FirstSerial(), uint64_t{2} << 40);
  ASSERT_THAT(catalog_->CloseCleanly(), IsOk());
  Reopen();
  EXPECT_EQ(catalog_->FirstSerial(), uint64_t{3} << 40);
}

TEST_F(CatalogTest, KnowsHowTheLastRunEnded) {
  EXPECT_TRUE(catalog_->LastShutdownWasClean()) << "there was none";
  ASSERT_THAT(catalog_->CloseCleanly(), IsOk());
  Reopen();
  EXPECT_TRUE(catalog_->LastShutdownWasClean());
  Reopen();
  EXPECT_FALSE(catalog_->LastShutdownWasClean());
}

TEST_F(CatalogTest, AfterCloseCleanlyNothingIsTakenIn) {
  ASSERT_THAT(catalog_->CloseCleanly(), IsOk());
  EXPECT_THAT(Add(1, "a"), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(fs::file_size(temporary_ / "data/catalog.sqlite-wal"), 0u) << "all is in one file";
}

// --- Many at once.

TEST_F(CatalogTest, AFailedMemberOfABatchFailsAlone) {
  ASSERT_THAT(Add(1, "taken"), IsOk());
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([this, t] {
      for (uint64_t i = 0; i < 50; ++i) {
        const uint64_t serial = 100 + t * 1000 + i;
        EXPECT_THAT(Add(serial, absl::StrCat(serial)), IsOk());
        EXPECT_THAT(catalog_->Rename(serial, Id("taken")), HasKind(ErrorKind::kAlreadyExists));
        EXPECT_THAT(catalog_->Remove(serial + 500), HasKind(ErrorKind::kNotFound));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Objects().size(), 401u);
}

// --- A log that outgrows its limit is copied into the database, and begins anew.

TEST_F(CatalogTest, TheLogDoesNotGrowForEver) {
  const std::string metadata = absl::StrCat("{\"x\":\"", std::string(60'000, 'x'), "\"}");
  for (uint64_t serial = 1; serial <= 1'000; ++serial) {
    CatalogEntry entry;
    entry.serial = serial;
    const std::string id = absl::StrCat(serial % 50);
    entry.id = id;
    entry.metadata = metadata;
    ASSERT_THAT(catalog_->Add(entry, {}), IsOk());
  }
  EXPECT_LT(fs::file_size(temporary_ / "data/catalog.sqlite-wal"), 30u << 20);
  EXPECT_EQ(Objects().size(), 50u);
}

// --- Damage and faults.

TEST_F(CatalogTest, DamageIsNamedWithTheWayOut) {
  catalog_.reset();
  WriteFile(temporary_ / "data/catalog.sqlite", PatternOf(8192));
  fs::remove(temporary_ / "data/catalog.sqlite-wal");
  auto result = Catalog::Open(*directory_, clock_);
  ASSERT_THAT(result, HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(std::string(result.status().message()), testing::HasSubstr("fsck --repair"));
}

TEST_F(CatalogTest, ALostCatalogIsNotAnEmptyOne) {
  catalog_.reset();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    fs::remove(absl::StrCat(temporary_ / "data/catalog.sqlite", suffix));
  }
  WriteFile(temporary_ / "data/objects/a7/0000010000000001", "bytes");
  EXPECT_THAT(Catalog::Open(*directory_, clock_), HasKind(ErrorKind::kCorrupt));
  fs::remove(temporary_ / "data/objects/a7/0000010000000001");
  EXPECT_THAT(Catalog::Open(*directory_, clock_), IsOk());
}

TEST_F(CatalogTest, AnotherVersionIsUnsupported) {
  catalog_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((temporary_ / "data/catalog.sqlite").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 2", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  EXPECT_THAT(Catalog::Open(*directory_, clock_), HasKind(ErrorKind::kUnsupported));
}

TEST_F(CatalogTest, ACatalogThatIsALinkIsRefused) {
  catalog_.reset();
  fs::rename(temporary_ / "data/catalog.sqlite", temporary_ / "elsewhere");
  fs::create_symlink(temporary_ / "elsewhere", temporary_ / "data/catalog.sqlite");
  EXPECT_THAT(Catalog::Open(*directory_, clock_), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(CatalogTest, GoesOnWhenItsDirectoryComesBack) {
  ASSERT_THAT(Add(1, "before"), IsOk());
  fs::rename(temporary_ / "data", temporary_ / "away");
  EXPECT_THAT(Add(2, "meanwhile"), HasKind(ErrorKind::kIo));
  EXPECT_THAT(Add(3, "meanwhile, again"), HasKind(ErrorKind::kIo));
  fs::rename(temporary_ / "away", temporary_ / "data");
  EXPECT_THAT(Add(4, "after"), IsOk());
  const std::map<std::string, uint64_t> expected = {{"before", 1}, {"after", 4}};
  EXPECT_EQ(Objects(), expected);
  Reopen();
  EXPECT_EQ(Objects(), expected);
}

// A disk that is full for the log: files may not grow beyond a limit, which is then lifted. What
// failed is not there, also not for who finds the files as they are now, as after a crash.
TEST_F(CatalogTest, AFullDiskFailsTheWholeBatchAndIsOverWhenThereIsRoom) {
  catalog_.reset();
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    auto catalog = Catalog::Open(*directory_, clock_);
    if (!catalog.ok() || !AddTo(**catalog, 1, "before").ok()) _exit(1);
    struct rlimit size;
    getrlimit(RLIMIT_FSIZE, &size);
    const rlim_t unlimited = size.rlim_cur;
    // In the middle of the next commit's second page.
    size.rlim_cur = fs::file_size(temporary_ / "data/catalog.sqlite-wal") + 6000;
    setrlimit(RLIMIT_FSIZE, &size);
    for (uint64_t serial : {2, 3}) {
      const absl::Status status = AddTo(**catalog, serial, absl::StrCat("full ", serial));
      if (status.ok()) _exit(2);
      if (KindOf(status) != ErrorKind::kCapacity) _exit(3);
    }
    int seen = 0;
    if (!(*catalog)->ForEach([&](const CatalogEntry&) { ++seen; }).ok() || seen != 1) _exit(4);
    size.rlim_cur = unlimited;
    setrlimit(RLIMIT_FSIZE, &size);
    fs::copy(temporary_ / "data", temporary_ / "crashed", fs::copy_options::recursive);
    _exit(AddTo(**catalog, 4, "after").ok() ? 0 : 5);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);
  Reopen();
  EXPECT_EQ(Objects(), (std::map<std::string, uint64_t>{{"before", 1}, {"after", 4}}));
  catalog_.reset();
  directory_.reset();
  ASSERT_OK_AND_ASSIGN(directory_, DataDirectory::Open(temporary_ / "crashed"));
  ASSERT_OK_AND_ASSIGN(catalog_, Catalog::Open(*directory_, clock_));
  EXPECT_EQ(Objects(), (std::map<std::string, uint64_t>{{"before", 1}}));
}

// The examples of docs/formats.md, through the shell, beside a running node.
std::string Shell(const std::string& database, const std::string& sql) {
  const std::string command = absl::StrCat("sqlite3 -readonly ", database, " \"", sql, "\" 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, n);
  pclose(pipe);
  return output;
}

TEST_F(CatalogTest, AnySqliteShellReadsIt) {
  const CatalogBlob blob{{0x1000000002a, 0xa7}, 5, 4096};
  CatalogEntry entry;
  entry.serial = 0x1000000002b;
  entry.id = "weights/llama";
  entry.metadata = R"({"prev_objid":"weights/older"})";
  entry.created_at = entry.sealed_at = absl::FromUnixSeconds(1'700'000'000);
  entry.blobs = absl::MakeConstSpan(&blob, 1);
  const PieceSums sums{{HashPiece("bytes")}};
  ASSERT_THAT(catalog_->Add(entry, absl::MakeConstSpan(&sums, 1)), IsOk());
  const std::string database = temporary_ / "data/catalog.sqlite";
  EXPECT_EQ(Shell(database, "SELECT id, size, sealed FROM listing"),
            "weights/llama|5|2023-11-14 22:13:20\n");
  EXPECT_EQ(Shell(database, "SELECT path FROM files WHERE id = 'weights/llama'"),
            "objects/a7/000001000000002a\n");
  EXPECT_EQ(Shell(database, "SELECT json_extract(metadata, '$.prev_objid') FROM objects"),
            "weights/older\n");
  EXPECT_EQ(Shell(database, "PRAGMA user_version"), "1\n");
}

// --- Metadata as text.

TEST(MetadataTextTest, IsJsonAndComesBackAsItWas) {
  Metadata metadata;
  EXPECT_EQ(MetadataToText(metadata), "{}");
  metadata.Set("prev_objid", "null");
  metadata.Set("a \"quoted\\\n\x01 key", R"({"deep":[1.0,{"}":"]\""}],"n":null})");
  metadata.Set(absl::string_view("z\0z", 3), "1152921504606846976");
  metadata.Set("", "[]");
  ASSERT_OK_AND_ASSIGN(Metadata back, MetadataFromText(MetadataToText(metadata)));
  EXPECT_TRUE(back == metadata) << MetadataToText(metadata);
}

TEST(MetadataTextTest, ForeignSpacesAreNoMatterAndAnythingElseIsCorrupt) {
  ASSERT_OK_AND_ASSIGN(Metadata metadata, MetadataFromText(" { \"\\u00e9\\t\" : [1, 2] } "));
  EXPECT_EQ(metadata.Find("\xc3\xa9\t"), absl::optional<absl::string_view>("[1, 2]"));
  for (const char* text : {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{a:1}",
                           "{\"a\":1} x", "{\"\\ud800\":1}", "{\"a\":\"unended}"}) {
    EXPECT_THAT(MetadataFromText(text), HasKind(ErrorKind::kCorrupt)) << text;
  }
}

}  // namespace
}  // namespace packice
